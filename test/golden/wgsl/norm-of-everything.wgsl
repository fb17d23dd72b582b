// units: 64
// integers: 15626 1000003 0 15626 15626 0 15626 0 64
// read buffer 0
// write private scratch: 256 bytes at 0
struct Arguments {
  points: i32,
  limit: i32,
  limit_offset: i32,
  limit_stride0: i32,
  extent_1: i32,
  load0_offset: i32,
  load0_stride0: i32,
  store0_offset: i32,
  units: i32,
}

@group(0) @binding(0) var<uniform> arguments: Arguments;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read_write> b1: array<f32>;

var<workgroup> totals2: array<f32, 64>;

@compute @workgroup_size(64)
fn KERNEL(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let unit = i32(group.x + group.y * groups.x);
  let lane = i32(thread);
  if (unit >= arguments.units) { return; }
  let row = unit;
  let length0 = min(arguments.extent_1, arguments.limit - (arguments.limit_offset + row * arguments.limit_stride0));
  let points = length0;
  var total2 = 0.0f;
  for (var start = lane; start < points; start += 8192) {
    let end = min(start + 8192, points);
    var part2 = 0.0f;
    for (var point = start; point < end; point += 64) {
      let a1 = arguments.load0_offset + row * arguments.load0_stride0 + point;
      let v2_0: f32 = b0[a1];
      let v2_1: f32 = v2_0 * v2_0;
      part2 = part2 + v2_1;
    }
    total2 += part2;
  }
  totals2[lane] = total2;
  for (var distance = 32; distance > 0; distance = distance >> 1u) {
    workgroupBarrier();
    if (lane < distance) {
      let other3 = lane + distance;
      totals2[lane] = totals2[lane] + totals2[other3];
    }
  }
  workgroupBarrier();
  let result4 = totals2[0];
  if (lane == 0) {
    let t6 = arguments.store0_offset + row;
    b1[t6] = result4;
  }
}

// units: 1
// integers: 1 64 0 0 1
// read private scratch: 256 bytes at 0
// write buffer 1
struct Arguments {
  rows: i32,
  points: i32,
  load1_offset: i32,
  store0_offset: i32,
  units: i32,
}

@group(0) @binding(0) var<uniform> arguments: Arguments;
@group(0) @binding(1) var<storage, read_write> b0: array<f32>;
@group(0) @binding(2) var<storage, read_write> b1: array<f32>;

fn weft_rsqrt(x: f32) -> f32 {
  return 1.0f / sqrt(x);
}

var<workgroup> totals1: array<f32, 64>;

@compute @workgroup_size(64)
fn KERNEL(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let unit = i32(group.x + group.y * groups.x);
  let lane = i32(thread);
  if (unit >= arguments.units) { return; }
  let slot = lane / 16;
  let member = lane % 16;
  let exists = unit * 4 + slot < arguments.rows;
  let row = select(0, unit * 4 + slot, exists);
  let points = select(0, arguments.points, exists);
  var total1 = 0.0f;
  for (var point = member; point < points; point += 16) {
    let a0 = arguments.load1_offset + point;
    let v1_0: f32 = b0[a0];
    total1 = total1 + v1_0;
  }
  totals1[lane] = total1;
  for (var distance = 8; distance > 0; distance = distance >> 1u) {
    workgroupBarrier();
    if (member < distance) {
      let other2 = lane + distance;
      totals1[lane] = totals1[lane] + totals1[other2];
    }
  }
  workgroupBarrier();
  let result3 = totals1[lane - member];
  if (member == 0 && exists) {
    let v4_2: f32 = weft_rsqrt(result3);
    let t5 = arguments.store0_offset;
    b1[t5] = v4_2;
  }
}
