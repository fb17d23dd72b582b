// units: 22
// integers: 1 64 32 2 1 0 4 0 0 32 0 2048 32 0 64 22
// read buffer 1
// read buffer 0
// read buffer 2
// read buffer 3
// write buffer 4
struct Arguments {
  lines: i32,
  columns: i32,
  reduced: i32,
  column_tiles: i32,
  batches: i32,
  offsets_offset: i32,
  groups: i32,
  order_offset: i32,
  lhs_offset: i32,
  lhs_stride0: i32,
  rhs_offset: i32,
  rhs_stride0: i32,
  rhs_stride1: i32,
  output_offset: i32,
  output_stride0: i32,
  units: i32,
}

@group(0) @binding(0) var<uniform> arguments: Arguments;
@group(0) @binding(1) var<storage, read> b0: array<i32>;
@group(0) @binding(2) var<storage, read> b1: array<i32>;
@group(0) @binding(3) var<storage, read> b2: array<f32>;
@group(0) @binding(4) var<storage, read> b3: array<f32>;
@group(0) @binding(5) var<storage, read_write> b4: array<f32>;

var<private> group_of: i32;
var<private> start: i32;
var<private> extent: i32;
var<workgroup> found: vec3<i32>;
var<workgroup> left_tile: array<f32, 528>;
var<workgroup> right_tile: array<f32, 528>;

fn lhs(batch: i32, line: i32, k: i32) -> f32 {
  if (line >= extent || k >= arguments.reduced) { return 0.0f; }
  let a6 = arguments.order_offset + (start + line / arguments.lines);
  let order7 = b1[a6];
  let a8 = arguments.lhs_offset + order7 * arguments.lhs_stride0 + k;
  return b2[a8];
}

fn rhs(batch: i32, line: i32, k: i32) -> f32 {
  if (line >= arguments.columns || k >= arguments.reduced) { return 0.0f; }
  let a9 = arguments.rhs_offset + group_of * arguments.rhs_stride0 + line * arguments.rhs_stride1 + k;
  return b3[a9];
}

@compute @workgroup_size(64)
fn KERNEL(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let unit = i32(group.x + group.y * groups.x);
  let lane = i32(thread);
  if (unit >= arguments.units) { return; }
  let first_column = unit % arguments.column_tiles * 32;
  let other_tiles = unit / arguments.column_tiles;
  let batch = other_tiles % arguments.batches;
  if (lane == 0) {
    var tile = other_tiles / arguments.batches;
    var candidate = 0;
    found = vec3<i32>(-1, 0, 0);
    let a0 = arguments.offsets_offset + 0;
    let offsets1 = b0[a0];
    var from_row = offsets1;
    for (; candidate < arguments.groups; candidate++) {
      let a2 = arguments.offsets_offset + (candidate + 1);
      let offsets3 = b0[a2];
      let tiles = ((offsets3 - from_row) * arguments.lines + 31) / 32;
      if (tile < tiles) { found = vec3<i32>(candidate, from_row, tile); break; }
      tile -= tiles;
      from_row = offsets3;
    }
  }
  let shared_by_all = workgroupUniformLoad(&found);
  group_of = shared_by_all.x;
  if (shared_by_all.x < 0) { return; }
  start = shared_by_all.y;
  let first_row = shared_by_all.z * 32;
  let a4 = arguments.offsets_offset + (group_of + 1);
  let offsets5 = b0[a4];
  extent = (offsets5 - start) * arguments.lines;
  let thread_row = lane / 8;
  let thread_column = lane % 8;
  var sums: array<f32, 16>;
  for (var first = 0; first < arguments.reduced; first += 16) {
    for (var turn = 0; turn < 8; turn++) {
      let place = turn * 64 + lane;
      let k = place % 16;
      let line = place / 16;
      left_tile[k * 33 + line] = lhs(batch, first_row + line, first + k);
    }
    for (var turn = 0; turn < 8; turn++) {
      let place = turn * 64 + lane;
      let k = place % 16;
      let line = place / 16;
      right_tile[k * 33 + line] = rhs(batch, first_column + line, first + k);
    }
    workgroupBarrier();
    for (var k = 0; k < 16; k++) {
      let left_tile0 = left_tile[k * 33 + thread_row];
      let left_tile1 = left_tile[k * 33 + thread_row + 8];
      let left_tile2 = left_tile[k * 33 + thread_row + 16];
      let left_tile3 = left_tile[k * 33 + thread_row + 24];
      let right_tile0 = right_tile[k * 33 + thread_column];
      let right_tile1 = right_tile[k * 33 + thread_column + 8];
      let right_tile2 = right_tile[k * 33 + thread_column + 16];
      let right_tile3 = right_tile[k * 33 + thread_column + 24];
      sums[0] = fma(left_tile0, right_tile0, sums[0]);
      sums[1] = fma(left_tile0, right_tile1, sums[1]);
      sums[2] = fma(left_tile0, right_tile2, sums[2]);
      sums[3] = fma(left_tile0, right_tile3, sums[3]);
      sums[4] = fma(left_tile1, right_tile0, sums[4]);
      sums[5] = fma(left_tile1, right_tile1, sums[5]);
      sums[6] = fma(left_tile1, right_tile2, sums[6]);
      sums[7] = fma(left_tile1, right_tile3, sums[7]);
      sums[8] = fma(left_tile2, right_tile0, sums[8]);
      sums[9] = fma(left_tile2, right_tile1, sums[9]);
      sums[10] = fma(left_tile2, right_tile2, sums[10]);
      sums[11] = fma(left_tile2, right_tile3, sums[11]);
      sums[12] = fma(left_tile3, right_tile0, sums[12]);
      sums[13] = fma(left_tile3, right_tile1, sums[13]);
      sums[14] = fma(left_tile3, right_tile2, sums[14]);
      sums[15] = fma(left_tile3, right_tile3, sums[15]);
    }
    workgroupBarrier();
  }
  for (var i = 0; i < 4; i++) {
    let row = first_row + thread_row + i * 8;
    if (row >= extent) { break; }
    for (var j = 0; j < 4; j++) {
      let column = first_column + thread_column + j * 8;
      if (column >= arguments.columns) { break; }
      let a10 = arguments.order_offset + (start + row / arguments.lines);
      let order11 = b1[a10];
      let t12 = arguments.output_offset + order11 * arguments.output_stride0 + column;
      b4[t12] = sums[i * 4 + j];
    }
  }
}
