// units: 313
// integers: 5000 128 0 5000 0 313
// read buffer 0
// write buffer 1
struct Arguments {
  rows: i32,
  points: i32,
  load0_offset: i32,
  load0_stride1: i32,
  store0_offset: i32,
  units: i32,
}

@group(0) @binding(0) var<uniform> arguments: Arguments;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read_write> b1: array<f32>;

var<workgroup> totals1: array<f32, 64>;

@compute @workgroup_size(64)
fn KERNEL(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let unit = i32(group.x + group.y * groups.x);
  let lane = i32(thread);
  if (unit >= arguments.units) { return; }
  let slot = lane % 16;
  let member = lane / 16;
  let exists = unit * 16 + slot < arguments.rows;
  let row = select(0, unit * 16 + slot, exists);
  let points = select(0, arguments.points, exists);
  var total1 = 0.0f;
  for (var point = member; point < points; point += 4) {
    let a0 = arguments.load0_offset + row + point * arguments.load0_stride1;
    let v1_0: f32 = b0[a0];
    total1 = total1 + v1_0;
  }
  totals1[lane] = total1;
  for (var distance = 2; distance > 0; distance = distance >> 1u) {
    workgroupBarrier();
    if (member < distance) {
      let other2 = lane + distance * 16;
      totals1[lane] = totals1[lane] + totals1[other2];
    }
  }
  workgroupBarrier();
  let result3 = totals1[slot];
  if (member == 0 && exists) {
    let t5 = arguments.store0_offset + row;
    b1[t5] = result3;
  }
}
