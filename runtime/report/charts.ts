/** Line charts as SVG text, drawn without a browser. */
import * as echarts from "echarts";

export interface Curve {
  readonly name: string;
  /** [x, y] pairs in order of x. */
  readonly points: readonly (readonly [number, number])[];
}

export interface ChartOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly logarithmic?: boolean;
  /** Pixels. */
  readonly width?: number;
  readonly height?: number;
}

/** A chart of several curves with a legend; SVG text that can stand inside an HTML page. */
export function lineChart(curves: readonly Curve[], options: ChartOptions): string {
  const chart = echarts.init(null, null, {
    renderer: "svg",
    ssr: true,
    width: options.width ?? 640,
    height: options.height ?? 360,
  });
  chart.setOption({
    animation: false,
    title: { text: options.title, left: "center", textStyle: { fontSize: 14 } },
    legend: { bottom: 0 },
    grid: { left: 64, right: 24, top: 40, bottom: 72 },
    xAxis: { type: "value", name: options.xLabel, nameLocation: "middle", nameGap: 24 },
    yAxis: { type: options.logarithmic ? "log" : "value", name: options.yLabel, scale: true },
    series: curves.map((curve) => ({
      name: curve.name,
      type: "line",
      showSymbol: false,
      lineStyle: { width: 1.5 },
      data: curve.points.map(([x, y]) => [x, y]),
    })),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

/** Means of `count` equal stretches of a curve, so that noisy losses can be read. */
export function smooth(points: readonly (readonly [number, number])[], count: number): (readonly [number, number])[] {
  if (points.length <= count) return [...points];
  const size = points.length / count;
  return Array.from({ length: count }, (_, index) => {
    const part = points.slice(Math.floor(index * size), Math.floor((index + 1) * size));
    const average = (of: 0 | 1): number => part.reduce((sum, point) => sum + point[of], 0) / part.length;
    return [average(0), average(1)] as const;
  });
}
