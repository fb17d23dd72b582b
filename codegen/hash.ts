/** Short names for texts. Not cryptographic: who uses a name checks that equal names mean equal texts. */

/** FNV-1a over UTF-16 code units, twice with different starts: 64 bits as 16 hexadecimal digits. */
export function textHash(text: string): string {
  let first = 0x811c9dc5;
  let second = 0xcbf29ce4;
  for (let place = 0; place < text.length; place++) {
    const unit = text.charCodeAt(place);
    first = Math.imul(first ^ unit, 0x01000193);
    second = Math.imul(second ^ (unit + 0x9e37), 0x01000193);
  }
  return [first, second].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}
