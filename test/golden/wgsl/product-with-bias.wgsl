// units: 8
// integers: 100 48 2 4 64 0 64 0 0 64 0 0 48 8
// read buffer 0
// read buffer 4
// read buffer 1
// read buffer 2
// write buffer 3
struct Arguments {
  rows: i32,
  columns: i32,
  column_tiles: i32,
  row_tiles: i32,
  reduced0: i32,
  left0_load0_offset: i32,
  left0_load0_stride0: i32,
  left0_load1_offset: i32,
  right0_load0_offset: i32,
  right0_load0_stride0: i32,
  load0_offset: i32,
  store0_offset: i32,
  store0_stride0: i32,
  units: i32,
}

@group(0) @binding(0) var<uniform> arguments: Arguments;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read> b1: array<f32>;
@group(0) @binding(3) var<storage, read> b2: array<f32>;
@group(0) @binding(4) var<storage, read> b3: array<f32>;
@group(0) @binding(5) var<storage, read_write> b4: array<f32>;

var<workgroup> left_tile: array<f32, 528>;
var<workgroup> right_tile: array<f32, 528>;

fn left0(batch: i32, line: i32, k: i32) -> f32 {
  if (line >= arguments.rows || k >= arguments.reduced0) { return 0.0f; }
  let a0 = arguments.left0_load0_offset + line * arguments.left0_load0_stride0 + k;
  let a1 = arguments.left0_load1_offset + k;
  let v2_0: f32 = b0[a0];
  let v2_1: f32 = b1[a1];
  let v2_2: f32 = v2_0 * v2_1;
  return v2_2;
}

fn right0(batch: i32, line: i32, k: i32) -> f32 {
  if (line >= arguments.columns || k >= arguments.reduced0) { return 0.0f; }
  let a3 = arguments.right0_load0_offset + line * arguments.right0_load0_stride0 + k;
  let v4_0: f32 = b2[a3];
  return v4_0;
}

@compute @workgroup_size(64)
fn KERNEL(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let unit = i32(group.x + group.y * groups.x);
  let lane = i32(thread);
  if (unit >= arguments.units) { return; }
  let column_tile = unit % arguments.column_tiles;
  let other_tiles = unit / arguments.column_tiles;
  let row_tile = other_tiles % arguments.row_tiles;
  let batch = other_tiles / arguments.row_tiles;
  let first_row = row_tile * 32;
  let first_column = column_tile * 32;
  let thread_row = lane / 8;
  let thread_column = lane % 8;
  var sums: array<f32, 16>;
  for (var first = 0; first < arguments.reduced0; first += 16) {
    for (var turn = 0; turn < 8; turn++) {
      let place = turn * 64 + lane;
      let k = place % 16;
      let line = place / 16;
      left_tile[k * 33 + line] = left0(batch, first_row + line, first + k);
    }
    for (var turn = 0; turn < 8; turn++) {
      let place = turn * 64 + lane;
      let k = place % 16;
      let line = place / 16;
      right_tile[k * 33 + line] = right0(batch, first_column + line, first + k);
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
    if (row >= arguments.rows) { break; }
    for (var j = 0; j < 4; j++) {
      let column = first_column + thread_column + j * 8;
      if (column >= arguments.columns) { break; }
      let a5 = arguments.load0_offset + column;
      let v6_0: f32 = sums[i * 4 + j];
      let v6_1: f32 = b3[a5];
      let v6_2: f32 = v6_0 + v6_1;
      let t7 = arguments.store0_offset + row * arguments.store0_stride0 + column;
      b4[t7] = v6_2;
    }
  }
}
