// units: 6
// integers: 100 2 0 100 0 100 6
// read buffer 0
// write buffer 1
struct Arguments {
  length: i32,
  blocks: i32,
  keys_offset: i32,
  keys_stride0: i32,
  order_offset: i32,
  order_stride0: i32,
  units: i32,
}

@group(0) @binding(0) var<uniform> arguments: Arguments;
@group(0) @binding(1) var<storage, read> b0: array<i32>;
@group(0) @binding(2) var<storage, read_write> b1: array<i32>;

fn ordered(key: i32) -> u32 { return bitcast<u32>(key) ^ 0x80000000u; }
var<workgroup> block: array<u32, 64>;

@compute @workgroup_size(64)
fn KERNEL(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let unit = i32(group.x + group.y * groups.x);
  let lane = i32(thread);
  if (unit >= arguments.units) { return; }
  let row0 = unit / arguments.blocks;
  let place1 = unit % arguments.blocks * 64 + lane;
  let a2 = arguments.keys_offset + row0 * arguments.keys_stride0 + min(place1, arguments.length - 1);
  let word3 = ordered(b0[a2]);
  var rank = 0;
  for (var first = 0; first < arguments.length; first += 64) {
    if (first + lane < arguments.length) {
      let a4 = arguments.keys_offset + row0 * arguments.keys_stride0 + (first + lane);
      block[lane] = ordered(b0[a4]);
    }
    workgroupBarrier();
    let some = min(64, arguments.length - first);
    for (var other = 0; other < some; other++) {
      let is_before = block[other] < word3 || (block[other] == word3 && first + other < place1);
      rank += select(0, 1, is_before);
    }
    workgroupBarrier();
  }
  if (place1 < arguments.length) {
    let t5 = arguments.order_offset + row0 * arguments.order_stride0 + rank;
    b1[t5] = place1;
  }
}
