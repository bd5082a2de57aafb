// Throughput over size as an SVG picture, made without a browser.
import { LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

export interface SizePoint {
  /** Lines. */
  size: number;
  /** Rows a second. */
  product: number;
  floor: number;
}

/** Middle tones, which stand out from a white page and from a black one. */
const TEXT = '#7d8590';
const GRID = '#7d859055';
const PRODUCT = '#2f81f7';
const FLOOR = '#d29922';

/** Lines over rows a second, of the product and of the floor, on a transparent ground. */
export function sizeChart(points: readonly SizePoint[]): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 760, height: 400 });
  const label = { color: TEXT, fontSize: 12 };
  const axis = { axisLabel: label, nameTextStyle: label, splitLine: { lineStyle: { color: GRID } } };
  const line = (name: string, color: string, value: (point: SizePoint) => number): object => ({
    name,
    type: 'line',
    symbol: 'circle',
    symbolSize: 7,
    lineStyle: { color, width: 2 },
    itemStyle: { color },
    data: points.map((point) => [point.size, Math.round(value(point))]),
  });
  chart.setOption({
    animation: false,
    title: {
      text: 'Rows a second over the size of the upload',
      left: 'center',
      top: 4,
      textStyle: { color: TEXT, fontSize: 14 },
    },
    // Without a browser the width of letters is a guess, and a small one.
    legend: { top: 30, itemGap: 56, textStyle: { color: TEXT } },
    grid: { left: 84, right: 28, top: 84, bottom: 52 },
    xAxis: {
      ...axis,
      type: 'log',
      name: 'lines',
      nameLocation: 'middle',
      nameGap: 30,
      axisLine: { lineStyle: { color: TEXT } },
    },
    yAxis: { ...axis, type: 'value', name: 'rows/s', min: 0 },
    series: [
      line('over HTTP, to the end of the report', PRODUCT, ({ product }) => product),
      line('text COPY (the floor)', FLOOR, ({ floor }) => floor),
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
