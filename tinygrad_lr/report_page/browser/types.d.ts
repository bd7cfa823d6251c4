// Types of the page's scripts, beside those of its data in payload.d.ts.

/** An attribute, or a listener under a name such as onclick. */
type Attributes = { [name: string]: unknown };
type Child = Node | string | number | null | undefined | Child[];
type Point = [number, number];
type Numbers = number[] | Float64Array;
/** Makes a formula, anew at each call. */
type Formula = () => Element;

/** A part of the page that follows the state; `glide` paints on the way to the next frame. */
interface Panel {
  update(): void;
  glide?(weights: number[], share: number): void;
}

/** A weight: the bias of unit `to` if `from` is -1. */
interface WeightPlace {
  layer: number;
  from: number;
  to: number;
}

/** A layer on one row, forward and back: `bend` is the derivative of its function. */
interface Stage {
  layer: Layer;
  input: Float64Array;
  before: Float64Array;
  after: Float64Array;
  bend: Float64Array;
  dAfter: Float64Array;
  dBefore: Float64Array;
}

/** One row through the model and back. */
interface Trace {
  input: Float64Array;
  stages: Stage[];
  output: Float64Array;
  probabilities: number[];
  dInput: Float64Array;
}

/** A box of the chain rule and the arrow after it. */
interface ChainLink {
  said: string;
  symbol: Formula;
  by?: Formula;
  value: string;
  formula: Formula;
  shape: string;
  values: string;
  local?: Formula;
  localValue?: string;
  back: string | null;
  gathered: Node | string;
}

/** The elements of a link that follow the state. */
interface Box {
  button: HTMLButtonElement;
  value: HTMLElement;
  back: HTMLElement;
  local: HTMLElement;
}

interface Axis {
  domain: Point;
  name?: string;
  log?: boolean;
  bare?: boolean;
}

interface ChartOptions<C> {
  x: Axis;
  y: Axis;
  ratio?: number;
  least?: number;
  right?: number;
  still?(chart: C): void;
  moving?(chart: C): void;
  label?(): string | null;
}
