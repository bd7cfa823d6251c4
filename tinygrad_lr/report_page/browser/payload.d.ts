// Generated from report_page/schema.py by typescript_declarations(); don't edit.

interface Layer {
  weight: number;
  bias: number | null;
  inputs: number;
  outputs: number;
  function: "tanh" | "relu" | "sigmoid" | "softplus" | "silu" | "leaky_relu" | "elu" | null;
  slope: number;
}

interface Column {
  name: string;
  mean: number | null;
  deviation: number | null;
  low: number | null;
  high: number | null;
}

interface DataPayload {
  rows: number;
  features: number;
  x_names: string[];
  y_name: string;
  labels: string[];
  columns: Column[];
  x_mean: number[] | null;
  x_scale?: number[];
  x?: number[][];
  y_mean: number;
  y_scale: number;
  y?: number[];
  row_numbers?: number[];
}

interface Parameter {
  name: string;
  shape: number[];
  size: number;
}

interface LineSurface {
  kind: "line";
  a: number[];
  b: number[];
  losses: (number | null)[][];
  path: number[][];
  minimum: number[];
}

interface PrincipalSurface {
  kind: "principal";
  a: number[];
  b: number[];
  losses: (number | null)[][];
  path: number[][];
  share: number;
}

interface Trial {
  rate: number;
  steps: number;
  reason: string;
  message: string;
  losses: (number | null)[];
  path: (number | null)[];
  verdict: "too small" | "right" | "large" | "too large";
}

interface Trials {
  limit: number;
  exact: boolean;
  rows: number;
  trials: Trial[];
}

interface ClosedForm {
  slope: number[];
  intercept: number;
  mse: number;
  r_squared: number | null;
  slope_error: (number | null)[];
}

interface Curve {
  steps: number[];
  losses: (number | null)[];
}

interface Run {
  steps: number;
  reason: string;
  message: string;
  limit: number | null;
  best_step: number | null;
  warnings: string[];
}

interface Payload {
  task: "regression" | "classes" | "other";
  line: boolean;
  open: boolean;
  loss: string;
  layers: Layer[] | null;
  data: DataPayload;
  rows_used: number;
  same_rows: boolean;
  parameters: Parameter[];
  steps: number[];
  losses: (number | null)[];
  full: (number | null)[];
  rates: number[];
  plain: boolean;
  dropped: number;
  sizes: (number | null)[][];
  chosen: number;
  surface: LineSurface | PrincipalSurface | null;
  trials: Trials | null;
  closed_form: ClosedForm | null;
  curve: Curve;
  evaluations: { [name: string]: number | null }[];
  run: Run;
  versions: [string, string][];
  settings: [string, string][];
  command: string | null;
  weights?: number[][];
  gradients?: (number | null)[][];
  next?: (number | null)[][] | null;
  outputs?: (number | null)[][];
  confusion?: number[][][];
}
