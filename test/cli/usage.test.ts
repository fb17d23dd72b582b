import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { builtPackage, model, root, temporaryFolder, weft, weftProcess } from "./support.js";

const commands = [
  "check",
  "fmt",
  "run",
  "train",
  "eval",
  "sample",
  "merge",
  "export",
  "import",
  "graph",
  "interfaces",
  "doctor",
];

describe("the weft command", () => {
  it("lists its commands, and every command its options, on stdout", async () => {
    const { code, stdout, stderr } = await weft("--help");
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    for (const command of commands) {
      assert.match(stdout, new RegExp(`^ +weft ${command} .*\\S`, "m"));
      const help = await weft(command, "--help");
      assert.deepEqual({ code: help.code, stderr: help.stderr }, { code: 0, stderr: "" }, command);
      assert.ok(help.stdout.startsWith(`weft ${command}`), help.stdout);
      const options = help.stdout.split("\n").filter((line) => /^ +--\w/.test(line));
      assert.ok(options.length >= 3, help.stdout);
      for (const line of options) assert.match(line, /^ +--[\w-]+ +\S/, command);
    }
  });

  it("shows its version", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    assert.deepEqual(await weft("--version"), { code: 0, stdout: `${version}\n`, stderr: "" });
  });

  const wrong: readonly (readonly [args: string, said: RegExp])[] = [
    ["", /^weft: Name a command\./],
    ["trian a b", /^weft: Did you mean train\?/],
    ["frobnicate a", /^weft: Unknown command: frobnicate/],
    ["train", /^weft: it takes more arguments: weft train <file> <stage>/],
    ["check", /^weft: it takes more arguments: weft check <file>/],
    ["check a.weft --bogus", /^weft: Unknown argument: bogus/],
    ["check a.weft b.weft", /^weft: Unknown argument: b\.weft/],
    ["check a.weft --depth x", /^weft: --depth expects a whole number from 0/],
    ["check a.weft --depth", /^weft: Not enough arguments following: depth/],
    ["check a.weft --model a --model b", /^weft: --model is given twice/],
    ["check a.weft --set dim", /^weft: --set expects NAME=VALUE, found "dim"/],
    ["run a.weft f", /^weft: Missing required argument: out/],
    [
      "run a.weft f --out o --device gpu",
      /^weft: Invalid values:\n +Argument: device, Given: "gpu", Choices: "webgpu", "cpu", "reference"/,
    ],
    ["run a.weft f --out o --threads 0", /^weft: --threads expects a whole number from 1/],
    ["train a.weft s --checkpoint-every 0.5", /^weft: --checkpoint-every expects a whole number from 1/],
    ["graph a.weft f --batch 0", /^weft: --batch expects a whole number from 1/],
    ["graph a.weft f --after magic", /^weft: Invalid values:\n +Argument: after/],
  ];
  for (const [args, said] of wrong) {
    it(`ends with 2 and says why on stderr: weft ${args}`, async () => {
      const { code, stdout, stderr } = await weft(...args.split(" ").filter((part) => part !== ""));
      assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
      assert.match(stderr, said);
    });
  }

  it("points to the help of the command in question", async () => {
    assert.match((await weft("train")).stderr, /\n\nRun `weft train --help` for its arguments and options\.\n$/);
    assert.match((await weft("frobnicate")).stderr, /\n\nRun `weft --help` for the commands\.\n$/);
  });

  it("takes a file after an option with a value", async () => {
    const { code, stdout } = await weft("check", "--set", "dim=4", model("small"));
    assert.equal(code, 0);
    assert.match(stdout, /^model Small {2}dim=4/);
  });

  it("ends with 1 for what is wrong in files, naming them once", async () => {
    const folder = await temporaryFolder();
    for (const [path, said] of [
      [join(folder, "none.weft"), `weft: there is no file ${join(folder, "none.weft")}\n`],
      [folder, `weft: ${folder} is a folder, not a file\n`],
    ] as const) {
      for (const args of [
        ["check", path],
        ["graph", path, "f"],
        ["train", path, "s"],
        ["fmt", path],
      ])
        assert.deepEqual(await weft(...args), { code: 1, stdout: "", stderr: said }, args[0]);
    }
  });

  it("ends with its code as a process, and apart from that like here", async () => {
    for (const args of [
      ["check", model("small")],
      ["check", "none.weft"],
    ])
      assert.deepEqual(await weftProcess(args), { ...(await weft(...args)), signal: null });
  });

  it("ends quietly when nobody reads on", async () => {
    const main = join(await builtPackage(), "dist/src/cli/main.js");
    // The graph's text is far longer than what a pipe holds.
    const command = `{ node ${main} graph ${model("mixed")} loss --after differentiated; echo "code $?" >&2; } | head -n 1`;
    const { stdout, stderr } = await promisify(execFile)("sh", ["-c", command]);
    assert.equal(stdout.split("\n").length, 2);
    assert.equal(stderr, "code 0\n");
  });
});
