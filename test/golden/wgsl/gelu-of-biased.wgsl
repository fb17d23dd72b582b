// units: 96
// integers: 6144 96 0 96 0 0 96 96
// read buffer 0
// read buffer 1
// write buffer 2
struct Arguments {
  points: i32,
  extent_1: i32,
  load0_offset: i32,
  load0_stride0: i32,
  load1_offset: i32,
  store0_offset: i32,
  store0_stride0: i32,
  units: i32,
}

@group(0) @binding(0) var<uniform> arguments: Arguments;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read> b1: array<f32>;
@group(0) @binding(3) var<storage, read_write> b2: array<f32>;

fn weft_from_bits(x: u32) -> f32 { return bitcast<f32>(x); }

fn weft_exp(x: f32) -> f32 {
  let below: f32 = select(x, 90.0f, x > 90.0f);
  let bounded: f32 = select(below, -110.0f, below < -110.0f);
  let whole: f32 = floor(bounded * 1.4426950216293335f + 0.5f);
  let rest: f32 = (bounded - whole * 0.693359375f) - whole * (-0.00021219444170128554f);
  let series: f32 = 1.0f + (rest + (rest * rest) * (0.4999999403953552f + rest * (0.1666652113199234f + rest * (0.04166825860738754f + rest * (0.00836866907775402f + rest * 0.0013821304310113192f)))));
  let power: i32 = i32(whole);
  let half_power: i32 = power >> 1u;
  let other_half: i32 = power - half_power;
  return (series * weft_from_bits(u32((half_power + 127)) << 23u)) * weft_from_bits(u32((other_half + 127)) << 23u);
}

fn weft_bits(x: f32) -> u32 { return bitcast<u32>(x); }

fn weft_erf(x: f32) -> f32 {
  let magnitude: f32 = abs(x);
  let square: f32 = magnitude * magnitude;
  let near: f32 = magnitude + magnitude * (0.12837916612625122f + square * (-0.3761262893676758f + square * (0.11283624172210693f + square * (-0.026855560019612312f + square * (0.005191753152757883f + square * (-0.0008039752719923854f + square * 7.943100354168564e-05f))))));
  let bounded: f32 = select(magnitude, 4.0f, magnitude > 4.0f);
  let exponent: f32 = (-0.00016920392226893455f + bounded * (1.1294883489608765f + bounded * (0.633401095867157f + bounded * (0.1082199439406395f + bounded * (-0.025080204010009766f + bounded * (0.004156044684350491f + bounded * (-0.00043133876170031726f + bounded * 2.0822943042730913e-05f)))))));
  let far: f32 = 1.0f - weft_exp(-exponent);
  let value: f32 = select(far, near, magnitude < 0.9f);
  return weft_from_bits(weft_bits(value) | (weft_bits(x) & 0x80000000u));
}

@compute @workgroup_size(64)
fn KERNEL(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let unit = i32(group.x + group.y * groups.x);
  let lane = i32(thread);
  if (unit >= arguments.units) { return; }
  let point = unit * 64 + lane;
  if (point >= arguments.points) { return; }
  let c0 = point % arguments.extent_1;
  let q1 = point / arguments.extent_1;
  let a2 = arguments.load0_offset + q1 * arguments.load0_stride0 + c0;
  let a3 = arguments.load1_offset + c0;
  let v4_0: f32 = b0[a2];
  let v4_1: f32 = b1[a3];
  let v4_2: f32 = v4_0 + v4_1;
  let v4_4: f32 = v4_2 * 0.7071067690849304f;
  let v4_5: f32 = weft_erf(v4_4);
  let v4_7: f32 = v4_5 + 1.0f;
  let v4_9: f32 = v4_2 * 0.5f;
  let v4_10: f32 = v4_9 * v4_7;
  let t5 = arguments.store0_offset + q1 * arguments.store0_stride0 + c0;
  b2[t5] = v4_10;
}
