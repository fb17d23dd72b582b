/** The modules of an adaptation, each once, and which of them are alike. */
import { correspondence } from "./equal-modules.js";
import { type Adaptation, type AdaptedSite, type Instance, moduleValue } from "./values.js";

/** One adapted module with all interfaces that an adaptation applies to it, in order. */
export interface SiteGroup {
  readonly instance: Instance;
  readonly path: string;
  readonly sites: readonly AdaptedSite[];
}

export function siteGroups(adaptation: Adaptation): SiteGroup[] {
  const groups = new Map<Instance, AdaptedSite[]>();
  for (const { sites } of adaptation.applications) {
    for (const site of sites) {
      const known = groups.get(site.instance);
      if (known) known.push(site);
      else groups.set(site.instance, [site]);
    }
  }
  return [...groups].map(([instance, sites]) => ({ instance, path: instance.path ?? "", sites }));
}

/** Groups of equal modules that are adapted alike, in the order of their first ones. */
export function alikeGroups(groups: readonly SiteGroup[]): [SiteGroup, ...SiteGroup[]][] {
  const found: [SiteGroup, ...SiteGroup[]][] = [];
  for (const group of groups) {
    const known = found.find(([first]) => isAlike(first, group));
    if (known) known.push(group);
    else found.push([group]);
  }
  return found;
}

function isAlike(first: SiteGroup, other: SiteGroup): boolean {
  const applied = first.sites.map(({ application }) => application);
  if (first.sites.length !== other.sites.length) return false;
  if (!other.sites.every(({ application }, place) => application === applied[place])) return false;
  return typeof correspondence([moduleValue(first.instance), moduleValue(other.instance)]) !== "string";
}

/** Paths of what the first of two groups alike stores, and of what stands there in the other. */
export function pathsOfPeer(first: SiteGroup, other: SiteGroup): ReadonlyMap<string, string> {
  const found = correspondence([moduleValue(first.instance), moduleValue(other.instance)]);
  if (typeof found === "string") throw new Error(found);
  const paths = new Map([...found.definitions].map(([{ path }, peers]) => [path, peers[1]!.path]));
  first.sites.forEach(({ weights }, place) => {
    for (const [name, { path }] of weights) paths.set(path, other.sites[place]!.weights.get(name)!.path);
  });
  return paths;
}
