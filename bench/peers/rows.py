"""A peer: the usual script. It reads a file, validates each line with jsonschema, and inserts it with SQLAlchemy, a row
and a commit at a time. Prints the seconds that it took. DATABASE_URL says where; arguments: the schema, the file.
"""
import json
import os
import sys
import time

import jsonschema
from sqlalchemy import create_engine, text

schema_path, path = sys.argv[1:]
url = os.environ["DATABASE_URL"]
INSERT = text(
    "INSERT INTO public.python (event_type, event_time, user_email, phone_number, processing_date, _batch_id, _line,"
    " _schema_version, _received_at) VALUES (:event_type, :event_time, :user_email, :phone_number, :processing_date,"
    " gen_random_uuid(), :line, '1.0.0', now())"
)

with open(schema_path, encoding="utf-8") as file:
    schema = json.load(file)
engine = create_engine(url.replace("postgres://", "postgresql+psycopg2://", 1))
with engine.connect():
    start = time.perf_counter()
with open(path, encoding="utf-8") as lines:
    for number, line in enumerate(lines, 1):
        event = json.loads(line)
        jsonschema.validate(event, schema, format_checker=jsonschema.FormatChecker())
        row = {"event_type": event["event_type"], "event_time": event["event_time"], **event["data"]}
        row.update(processing_date=event["processing_date"], line=number)
        with engine.begin() as connection:
            connection.execute(INSERT, row)
print(time.perf_counter() - start)
