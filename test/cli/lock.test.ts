import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { lockFolder, lockName } from "../../src/cli/lock.js";
import { temporaryFolder } from "./support.js";

describe("the lock of a run's folder", () => {
  let folder: string;
  beforeEach(async () => {
    folder = join(await temporaryFolder(), "runs/model");
  });

  it("is held by one at a time, who is named, and leaves nothing behind", async () => {
    const unlock = await lockFolder(folder);
    const said = `${folder} is in use: process ${process.pid} trains there. Wait for it, or choose another folder with --run`;
    await assert.rejects(lockFolder(folder), { message: said });
    assert.deepEqual(await readdir(folder), [lockName]);
    await unlock();
    await (await lockFolder(folder))();
    assert.deepEqual(await readdir(join(folder, "..")), []);
  });

  it("keeps the folder when there is something in it", async () => {
    const unlock = await lockFolder(folder);
    await writeFile(join(folder, "result"), "");
    await unlock();
    assert.deepEqual(await readdir(folder), ["result"]);
  });

  it("is no lock any more when its file was left behind", async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, lockName), "123456 and more\n");
    const unlock = await lockFolder(folder);
    assert.equal(await readFile(join(folder, lockName), "utf8"), `${process.pid}\n`);
    await unlock();
  });

  it("goes to exactly one of many at a time, also while holders come and go", async () => {
    let inside = 0;
    let entered = 0;
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let attempt = 0; attempt < 50; attempt++) {
          const unlock = await lockFolder(folder).catch(() => undefined);
          if (unlock === undefined) continue;
          entered++;
          assert.equal(++inside, 1);
          await readdir(folder);
          inside--;
          await unlock();
        }
      }),
    );
    assert.ok(entered >= 8, `${entered}`);
  });
});
