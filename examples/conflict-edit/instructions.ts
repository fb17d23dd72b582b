/**
 * Tasks and the words that ask for them. The conflicting tasks stand in opposing pairs: both sides of a pair may meet the same picture, and
 * what one asks for undoes the other. Pretraining sees other edits only, worded differently.
 */
import {
  age,
  blur,
  contrast,
  cool,
  darken,
  type Edit,
  frame,
  greenish,
  grey,
  invert,
  keep,
  mosaic,
  posterise,
  redden,
  swap,
  wash,
} from "./edits.js";

export interface Task {
  readonly name: string;
  /** Makes the source from a clean picture. */
  readonly source: Edit;
  /** Makes the target from a clean picture. */
  readonly target: Edit;
  readonly phrases: readonly string[];
}

export interface TaskPair {
  readonly name: string;
  readonly tasks: readonly [Task, Task];
}

function pair(
  name: string,
  edit: Edit,
  forward: readonly [string, readonly string[]],
  backward: readonly [string, readonly string[]],
): TaskPair {
  return {
    name,
    tasks: [
      { name: forward[0], source: keep, target: edit, phrases: forward[1] },
      { name: backward[0], source: edit, target: keep, phrases: backward[1] },
    ],
  };
}

export const pairs: readonly TaskPair[] = [
  pair(
    "blur/deblur",
    blur,
    ["blur", ["blur the picture", "make it soft and blurry", "put it out of focus"]],
    ["deblur", ["sharpen the picture", "remove the blur", "bring it back into focus"]],
  ),
  pair(
    "age/restore",
    age,
    ["age", ["make it look old", "age the photo", "give it an antique look"]],
    ["restore", ["restore the old photo", "make it look new", "repair the faded colours"]],
  ),
  pair(
    "darken/brighten",
    darken,
    ["darken", ["make it darker", "turn the light down", "darken the picture"]],
    ["brighten", ["make it brighter", "turn the light up", "brighten the picture"]],
  ),
  pair(
    "cool/warm",
    cool,
    ["cool", ["make it colder", "give it cool colours", "shift it to blue"]],
    ["warm", ["make it warmer", "give it warm colours", "take the blue away"]],
  ),
  pair(
    "wash/enrich",
    wash,
    ["wash", ["wash the colours out", "make it pale", "fade the picture"]],
    ["enrich", ["make the colours rich", "give it strong colours", "undo the fading"]],
  ),
  pair(
    "mosaic/refine",
    mosaic,
    ["mosaic", ["turn it into a mosaic", "make it blocky", "show coarse pixels"]],
    ["refine", ["remove the mosaic", "make it smooth and fine", "refine the coarse pixels"]],
  ),
];

export const conflictTasks: readonly Task[] = pairs.flatMap((each) => each.tasks);

const generic = (name: string, edit: Edit, phrases: readonly string[]): Task => ({
  name,
  source: keep,
  target: edit,
  phrases,
});

export const genericTasks: readonly Task[] = [
  generic("keep", keep, ["keep it as it is", "change nothing"]),
  generic("grey", grey, ["make it grey", "remove all colours"]),
  generic("invert", invert, ["invert the colours", "make it a negative"]),
  generic("contrast", contrast, ["raise the contrast", "more contrast"]),
  generic("posterise", posterise, ["use few colours", "make it a poster"]),
  generic("redden", redden, ["make it red", "shift it to red"]),
  generic("green", greenish, ["make it green", "shift it to green"]),
  generic("swap", swap, ["swap the colours", "turn the colours around"]),
  generic("frame", frame, ["put it in a frame", "give it a white frame"]),
];

/** Words of an instruction at most; longer ones do not occur. */
export const instructionLength = 8;

/** Word 0 is padding. */
export const vocabulary: readonly string[] = [
  "",
  ...new Set(
    [...conflictTasks, ...genericTasks].flatMap((task) => task.phrases.flatMap((phrase) => phrase.split(" "))),
  ),
];

const indexOf = new Map(vocabulary.map((word, index) => [word, index]));

/** Word indices of a phrase; throws on a word that no task uses. */
export function encode(phrase: string): number[] {
  return phrase.split(" ").map((word) => {
    const index = indexOf.get(word);
    if (index === undefined) throw new Error(`unknown word "${word}" in the instruction "${phrase}"`);
    return index;
  });
}
