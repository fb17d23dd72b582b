// units: 320
// integers: 40 40 4 2 0 5120 1280 32 0 32 0 2560 1280 32 32 0 2560 1280 32 0 5120 1280 32 0 160 40 320
// floats: 0.25
// read buffer 0
// read buffer 3
// read buffer 1
// read buffer 2
// write buffer 4
// write buffer 5
struct Arguments {
  keys: i32,
  extent_2: i32,
  extent_1: i32,
  group: i32,
  q_offset: i32,
  q_stride0: i32,
  q_stride1: i32,
  q_stride2: i32,
  mask_offset: i32,
  width: i32,
  k_offset: i32,
  k_stride0: i32,
  k_stride1: i32,
  k_stride2: i32,
  value_width: i32,
  v_offset: i32,
  v_stride0: i32,
  v_stride1: i32,
  v_stride2: i32,
  output_offset: i32,
  output_stride0: i32,
  output_stride1: i32,
  output_stride2: i32,
  logSum_offset: i32,
  logSum_stride0: i32,
  logSum_stride1: i32,
  units: i32,
  @align(16) scale: f32,
}

@group(0) @binding(0) var<uniform> arguments: Arguments;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read> b1: array<u32>;
@group(0) @binding(3) var<storage, read> b2: array<f32>;
@group(0) @binding(4) var<storage, read> b3: array<f32>;
@group(0) @binding(5) var<storage, read_write> b4: array<f32>;
@group(0) @binding(6) var<storage, read_write> b5: array<f32>;

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

fn weft_log(x: f32) -> f32 {
  let tiny: bool = x < 1.1754943508222875e-38f;
  let normal: f32 = select(x, x * 33554432.0f, tiny);
  let moved: u32 = weft_bits(normal) - 0x3f3504f3u;
  let power: i32 = (i32(moved) >> 23u) - select(0, 25, tiny);
  let significand: f32 = weft_from_bits((moved & 0x007fffffu) + 0x3f3504f3u);
  let f: f32 = significand - 1.0f;
  let square: f32 = f * f;
  let n: f32 = f32(power);
  let series: f32 = (square * f) * (0.3333331346511841f + f * (-0.25000008940696716f + f * (0.2000207155942917f + f * (-0.16667988896369934f + f * (0.14220358431339264f + f * (-0.12406233698129654f + f * (0.11883548647165298f + f * (-0.11670098453760147f + f * 0.06749269366264343f))))))));
  let small: f32 = (series + n * (-0.00021219444170128554f)) - 0.5f * square;
  let finite: f32 = n * 0.693359375f + (f + small);
  let ordered: f32 = select(x, finite, x < 3.4028234663852886e38f);
  let positive: f32 = select(ordered, finite, x == 3.4028234663852886e38f);
  let negative_too: f32 = select(positive, weft_from_bits(0x7fc00000u), x < 0.0f);
  return select(negative_too, -weft_from_bits(0x7f800000u), x == 0.0f);
}

fn load_b1(i: i32) -> bool { return ((b1[i >> 2u] >> (u32(i & 3) * 8u)) & 0xffu) != 0u; }
var<workgroup> scores: array<f32, 64>;
var<workgroup> largest_of_part: array<f32, 8>;
var<workgroup> weights: array<f32, 64>;

@compute @workgroup_size(64)
fn KERNEL(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let unit = i32(group.x + group.y * groups.x);
  let lane = i32(thread);
  if (unit >= arguments.units) { return; }
  let c0 = unit % arguments.extent_2;
  let q1 = unit / arguments.extent_2;
  let c2 = q1 % arguments.extent_1;
  let q3 = q1 / arguments.extent_1;
  let head = c2;
  let query = c0;
  let key_head = head / arguments.group;
  var sums: array<f32, 1>;
  var total = 0.0f;
  var largest = -3.0e38f;
  let a4 = arguments.q_offset + q3 * arguments.q_stride0 + head * arguments.q_stride1 + query * arguments.q_stride2;
  for (var first = 0; first < arguments.keys; first += 64) {
    let key = first + lane;
    var score = -3.0e38f;
    var allowed = false;
    if (key < arguments.keys) {
      let a5 = arguments.mask_offset + key;
      allowed = load_b1(a5);
      if (allowed) {
        let a6 = arguments.k_offset + q3 * arguments.k_stride0 + key_head * arguments.k_stride1 + key * arguments.k_stride2;
        var product = 0.0f;
        for (var channel = 0; channel < arguments.width; channel++) {
          product = fma(b0[a4 + channel], b2[a6 + channel], product);
        }
        score = product * arguments.scale;
      }
    }
    scores[lane] = score;
    workgroupBarrier();
    if (lane < 8) {
      var most = scores[lane * 8];
      for (var j = 1; j < 8; j++) { most = max(most, scores[lane * 8 + j]); }
      largest_of_part[lane] = most;
    }
    workgroupBarrier();
    var next = largest;
    for (var j = 0; j < 8; j++) { next = max(next, largest_of_part[j]); }
    let kept = weft_exp(largest - next);
    let weight = select(0.0f, weft_exp(score - next), allowed);
    total = total * kept + weight;
    weights[lane] = weight;
    workgroupBarrier();
    let count = min(64, arguments.keys - first);
    for (var turn = 0; turn < 1; turn++) {
      let channel = turn * 64 + lane;
      if (channel >= arguments.value_width) { break; }
      var sum = sums[turn] * kept;
      let a7 = arguments.v_offset + q3 * arguments.v_stride0 + key_head * arguments.v_stride1 + channel;
      let s8 = arguments.v_stride2;
      for (var j = 0; j < count; j++) {
        sum = fma(weights[j], b3[a7 + (first + j) * s8], sum);
      }
      sums[turn] = sum;
    }
    largest = next;
  }
  scores[lane] = total;
  workgroupBarrier();
  var whole = 0.0f;
  for (var j = 0; j < 64; j++) { whole = whole + scores[j]; }
  let nowhere = whole == 0.0f;
  let divisor = select(whole, 1.0f, nowhere);
  for (var turn = 0; turn < 1; turn++) {
    let channel = turn * 64 + lane;
    if (channel >= arguments.value_width) { break; }
    let t9 = arguments.output_offset + q3 * arguments.output_stride0 + head * arguments.output_stride1 + query * arguments.output_stride2 + channel;
    b4[t9] = sums[turn] / divisor;
  }
  if (lane == 0) {
    let t10 = arguments.logSum_offset + q3 * arguments.logSum_stride0 + head * arguments.logSum_stride1 + query;
    b5[t10] = select(largest + weft_log(divisor), 0.0f, nowhere);
  }
}
