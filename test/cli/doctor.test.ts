import assert from "node:assert/strict";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder, weft, weftProcess } from "./support.js";

interface Report {
  readonly machine: { readonly node: string; readonly cores: number };
  readonly devices: readonly { readonly device: string; readonly ready: boolean; readonly detail: string }[];
}

describe("weft doctor", () => {
  it("shows the machine and that its devices are ready", async () => {
    const { code, stdout, stderr } = await weft("doctor");
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.ok(stdout.startsWith(`node ${process.version}, ${process.platform} ${process.arch}, `), stdout);
    assert.match(stdout, /^ready {4}cpu {8}cpu \(\d+ threads?, .+\)$/m);
    assert.match(stdout, /^ready {4}reference {2}\S/m);
  });

  it("says the same as JSON", async () => {
    const { code, stdout } = await weft("doctor", "--json");
    const { machine, devices } = JSON.parse(stdout) as Report;
    assert.equal(code, 0);
    assert.equal(machine.node, process.version);
    assert.ok(machine.cores >= 1);
    assert.deepEqual(
      devices.map(({ device, ready }) => [device, ready]),
      [
        ["cpu", true],
        ["reference", true],
      ],
    );
  });

  it("names the package to install where there is no compiler, and fails", async () => {
    const folder = await temporaryFolder();
    await symlink(process.execPath, join(folder, "node"));
    const environment = { PATH: folder, CC: "", WEFT_CACHE: join(folder, "cache") };
    const { code, stdout } = await weftProcess(["doctor"], { environment });
    assert.equal(code, 1);
    assert.match(stdout, /^missing {2}cpu {8}\S/m);
    assert.match(stdout, /apt install gcc/);
    assert.match(stdout, /^ready {4}reference/m);
  });
});
