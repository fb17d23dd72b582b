// units: 1563
// integers: 100000 -5000 -5000 90000 0 0 1563
// read buffer 0
// read buffer 1
// write buffer 2
struct Arguments {
  points: i32,
  load0_offset: i32,
  load0_bound0_offset: i32,
  load0_bound0_size: i32,
  load1_offset: i32,
  store0_offset: i32,
  units: i32,
}

@group(0) @binding(0) var<uniform> arguments: Arguments;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read> b1: array<f32>;
@group(0) @binding(3) var<storage, read_write> b2: array<f32>;

@compute @workgroup_size(64)
fn KERNEL(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let unit = i32(group.x + group.y * groups.x);
  let lane = i32(thread);
  if (unit >= arguments.units) { return; }
  let point = unit * 64 + lane;
  if (point >= arguments.points) { return; }
  let a0 = arguments.load0_offset + point;
  let in1 = u32(arguments.load0_bound0_offset + point) < u32(arguments.load0_bound0_size);
  let a2 = arguments.load1_offset + point;
  let v3_0: f32 = select(0.0f, b0[select(0, a0, in1)], in1);
  let v3_1: f32 = b1[a2];
  let v3_2: f32 = v3_0 + v3_1;
  let t4 = arguments.store0_offset + point;
  b2[t4] = v3_2;
}
