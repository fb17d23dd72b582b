// units: 16
// integers: 32 200 0 200 0 200 16
// read buffer 0
// write buffer 1
struct Arguments {
  rows: i32,
  points: i32,
  load0_offset: i32,
  load0_stride0: i32,
  store0_offset: i32,
  store0_stride0: i32,
  units: i32,
}

@group(0) @binding(0) var<uniform> arguments: Arguments;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read_write> b1: array<f32>;

fn weft_from_bits(x: u32) -> f32 { return bitcast<f32>(x); }

fn weft_maximum(a: f32, b: f32) -> f32 {
  return select(select(b, a, (a > b) | ((bitcast<u32>(a) & 0x7fffffffu) > 0x7f800000u)), b, ((bitcast<u32>(b) & 0x7fffffffu) > 0x7f800000u));
}

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

var<workgroup> totals1: array<f32, 64>;
var<workgroup> totals4: array<f32, 64>;

@compute @workgroup_size(64)
fn KERNEL(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let unit = i32(group.x + group.y * groups.x);
  let lane = i32(thread);
  if (unit >= arguments.units) { return; }
  let slot = lane / 32;
  let member = lane % 32;
  let exists = unit * 2 + slot < arguments.rows;
  let row = select(0, unit * 2 + slot, exists);
  let points = select(0, arguments.points, exists);
  var total1 = weft_from_bits(0xff800000u);
  for (var point = member; point < points; point += 32) {
    let a0 = arguments.load0_offset + row * arguments.load0_stride0 + point;
    let v1_0: f32 = b0[a0];
    total1 = weft_maximum(total1, v1_0);
  }
  totals1[lane] = total1;
  for (var distance = 16; distance > 0; distance = distance >> 1u) {
    workgroupBarrier();
    if (member < distance) {
      let other2 = lane + distance;
      totals1[lane] = weft_maximum(totals1[lane], totals1[other2]);
    }
  }
  workgroupBarrier();
  let result3 = totals1[lane - member];
  var total4 = 0.0f;
  for (var point = member; point < points; point += 32) {
    let a4 = arguments.load0_offset + row * arguments.load0_stride0 + point;
    let v5_0: f32 = b0[a4];
    let v5_2: f32 = v5_0 - result3;
    let v5_3: f32 = weft_exp(v5_2);
    total4 = total4 + v5_3;
  }
  totals4[lane] = total4;
  for (var distance = 16; distance > 0; distance = distance >> 1u) {
    workgroupBarrier();
    if (member < distance) {
      let other6 = lane + distance;
      totals4[lane] = totals4[lane] + totals4[other6];
    }
  }
  workgroupBarrier();
  let result7 = totals4[lane - member];
  for (var point = member; point < points; point += 32) {
    let a8 = arguments.load0_offset + row * arguments.load0_stride0 + point;
    let v9_0: f32 = b0[a8];
    let v9_2: f32 = v9_0 - result3;
    let v9_3: f32 = weft_exp(v9_2);
    let v9_5: f32 = v9_3 / result7;
    let t10 = arguments.store0_offset + row * arguments.store0_stride0 + point;
    b1[t10] = v9_5;
  }
}
