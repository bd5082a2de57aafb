// Which expectations there are, under the names that Great Expectations gives them, and which of its own are refused.
import * as aggregates from './aggregates.ts';
import * as columns from './columns.ts';
import type { Definition } from './definition.ts';
import * as distinct from './distinct.ts';
import * as matching from './matching.ts';
import * as pairs from './pairs.ts';
import * as records from './records.ts';
import * as values from './values.ts';

const EXPECTATIONS: ReadonlyMap<string, Definition> = new Map([
  ['expect_table_row_count_to_equal', aggregates.rowCountEqual],
  ['expect_table_row_count_to_be_between', aggregates.rowCountBetween],
  ['expect_table_column_count_to_equal', columns.columnCountEqual],
  ['expect_table_column_count_to_be_between', columns.columnCountBetween],
  ['expect_table_columns_to_match_set', columns.columnSet],
  ['expect_table_columns_to_match_ordered_list', columns.columnOrder],
  ['expect_column_to_exist', columns.columnExists],
  ['expect_column_values_to_be_of_type', columns.ofType],
  ['expect_column_values_to_be_in_type_list', columns.inTypeList],
  ['expect_column_values_to_not_be_null', values.notNull],
  ['expect_column_values_to_be_null', values.isNull],
  ['expect_column_values_to_be_unique', values.unique],
  ['expect_column_values_to_be_in_set', values.inSet],
  ['expect_column_values_to_not_be_in_set', values.notInSet],
  ['expect_column_values_to_be_between', values.between],
  ['expect_column_value_lengths_to_equal', values.lengthEqual],
  ['expect_column_value_lengths_to_be_between', values.lengthBetween],
  ['expect_column_values_to_match_regex', matching.matchRegex],
  ['expect_column_values_to_not_match_regex', matching.notMatchRegex],
  ['expect_column_values_to_match_regex_list', matching.matchRegexList],
  ['expect_column_values_to_not_match_regex_list', matching.notMatchRegexList],
  ['expect_column_values_to_match_like_pattern', matching.matchLike],
  ['expect_column_values_to_not_match_like_pattern', matching.notMatchLike],
  ['expect_column_values_to_match_like_pattern_list', matching.matchLikeList],
  ['expect_column_values_to_not_match_like_pattern_list', matching.notMatchLikeList],
  ['expect_column_value_z_scores_to_be_less_than', values.zScores],
  ['expect_column_min_to_be_between', aggregates.min],
  ['expect_column_max_to_be_between', aggregates.max],
  ['expect_column_mean_to_be_between', aggregates.mean],
  ['expect_column_median_to_be_between', aggregates.median],
  ['expect_column_stdev_to_be_between', aggregates.stdev],
  ['expect_column_sum_to_be_between', aggregates.sum],
  ['expect_column_quantile_values_to_be_between', aggregates.quantiles],
  ['expect_column_proportion_of_non_null_values_to_be_between', aggregates.nonNullProportion],
  ['expect_column_unique_value_count_to_be_between', distinct.uniqueCount],
  ['expect_column_proportion_of_unique_values_to_be_between', distinct.uniqueProportion],
  ['expect_column_distinct_values_to_be_in_set', distinct.valuesInSet],
  ['expect_column_distinct_values_to_contain_set', distinct.valuesContainSet],
  ['expect_column_distinct_values_to_equal_set', distinct.valuesEqualSet],
  ['expect_column_most_common_value_to_be_in_set', distinct.mostCommonInSet],
  ['expect_column_pair_values_to_be_equal', pairs.pairEqual],
  ['expect_column_pair_values_a_to_be_greater_than_b', pairs.pairGreater],
  ['expect_column_pair_values_A_to_be_greater_than_B', pairs.pairGreater],
  ['expect_column_pair_values_to_be_in_set', pairs.pairInSet],
  ['expect_compound_columns_to_be_unique', records.compoundUnique],
  ['expect_select_column_values_to_be_unique_within_record', records.uniqueWithinRecord],
  ['expect_multicolumn_values_to_be_unique', records.uniqueWithinRecord],
  ['expect_multicolumn_sum_to_equal', records.sumEqual],
]);

/** Great Expectations has them: for pandas or Spark only, for several tables, or for statistics of distributions. */
const REFUSED: ReadonlySet<string> = new Set([
  'expect_column_bootstrapped_ks_test_p_value_to_be_greater_than',
  'expect_column_chisquare_test_p_value_to_be_greater_than',
  'expect_column_kl_divergence_to_be_less_than',
  'expect_column_pair_cramers_phi_value_to_be_less_than',
  'expect_column_parameterized_distribution_ks_test_p_value_to_be_greater_than',
  'expect_column_values_to_be_dateutil_parseable',
  'expect_column_values_to_be_decreasing',
  'expect_column_values_to_be_increasing',
  'expect_column_values_to_be_json_parseable',
  'expect_column_values_to_match_json_schema',
  'expect_column_values_to_match_strftime_format',
  'expect_multicolumn_sum_to_be_between',
  'expect_multicolumn_values_to_be_equal',
  'expect_query_results_to_match_comparison',
  'expect_table_row_count_to_equal_other_table',
  'unexpected_rows_expectation',
]);

/** The definition of an expectation, or why there is none. */
export function expectationOf(name: string): Definition | { reason: string } {
  const known = EXPECTATIONS.get(name);
  if (known !== undefined) return known;
  if (REFUSED.has(name))
    return { reason: `${name} is an expectation of Great Expectations that is not supported here` };
  const near = nearest(name);
  return { reason: `${JSON.stringify(name)} is no expectation${near === undefined ? '' : `: did you mean ${near}?`}` };
}

/** The known name that shares all but a few of its words with `name`. */
function nearest(name: string): string | undefined {
  const words = new Set(name.toLowerCase().split('_'));
  const distanceTo = (known: string) => {
    const own = new Set(known.toLowerCase().split('_'));
    return [...words, ...own].filter((word) => !(words.has(word) && own.has(word))).length;
  };
  const ranked = [...EXPECTATIONS.keys()].map((known) => ({ known, distance: distanceTo(known) }));
  const best = ranked.reduce((a, b) => (b.distance < a.distance ? b : a));
  return best.distance <= 3 ? best.known : undefined;
}
