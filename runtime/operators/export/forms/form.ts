/** What a form of PEFT is, and the pieces that forms are made of. */
import { elementCount, type Shape } from "../../../../src/graph/shape.js";
import type { Numbers } from "../../site-changes.js";
import type { Matrix } from "../matrices.js";
import * as matrices from "../matrices.js";

/** The module that is changed: its weight [out, in, ..window] and its bias [out], zeros where it has none. */
export interface Base {
  readonly weight: Numbers;
  readonly bias: Float64Array;
}

/** A tensor by its name in the form. Throws when there is none. */
export type Named = (name: string) => Numbers;

/** How a factor on the whole change is told: by a setting, by a larger tensor, or not at all. */
export type ScaleKind =
  | { readonly kind: "setting"; readonly name: "lora_alpha" | "alpha" }
  | { readonly kind: "tensor"; readonly key: string }
  | { readonly kind: "none" };

export type Setting = number | boolean | string;

export interface PeftForm {
  /** PEFT's name, `peft_type`. */
  readonly type: string;
  /** Distinguishes forms of one type. */
  readonly variant?: string;
  /** What it does to the weight W, for messages. */
  readonly means: string;
  /** Roles that slots play, and roles of tensors that the interface stores. */
  readonly slots: readonly string[];
  readonly stored: readonly string[];
  /** Whether tensors of these shapes can play the roles for a weight of this shape. */
  fits(shape: (role: string) => Shape, weight: Shape): boolean;
  /** PEFT's tensors, by what follows the module's path in their names. */
  encode(roles: Named, base: Base): Record<string, Numbers>;
  /** The roles of slots, from PEFT's tensors. */
  decode(tensors: Named, base: Base): Record<string, Numbers>;
  /** What PEFT makes of the module, its change being `scale` times as large. */
  change(tensors: Named, base: Base, scale: number): { readonly weight: Numbers; readonly bias: Float64Array };
  readonly scale: ScaleKind;
  /** The role that takes up a factor on the whole change, where there is a setting for one. */
  readonly absorbs?: string;
  /** Settings that follow from the tensors of one module. */
  settings(tensors: Named): Record<string, Setting>;
  /** Settings that are always so, and those that do not matter to what a finished adapter does. */
  readonly constants: Readonly<Record<string, unknown>>;
  readonly neutral: Readonly<Record<string, unknown>>;
  /** Settings that make something else of the form unless they are absent, null or false. */
  readonly unread: readonly string[];
  /** Settings of a module that are told by a list of the modules for which they are true. */
  readonly lists: Readonly<Record<string, string>>;
  /** Settings that may differ from module to module, and what they are listed under then. */
  readonly patterns: Readonly<Record<string, string>>;
  /** Tensors that belong to all modules together, by their whole names; a module of smaller sizes takes their first rows and columns. */
  readonly whole: Readonly<Record<string, string>>;
  /** The tensor that holds each role of a stored tensor. */
  readonly brings: Readonly<Record<string, string>>;
  /** Whether the module's weight says what the tensors mean. */
  readonly needsWeight: boolean;
}

export const numbersOf = ({ rows, columns, data }: Matrix): Numbers => ({ shape: [rows, columns], data });

/** A tensor as a matrix of its first axis by all others. */
export const matrixOf = ({ shape, data }: Numbers): Matrix => ({
  rows: shape[0]!,
  columns: elementCount(shape.slice(1)),
  data,
});

export const reshaped = ({ data }: Numbers, shape: Shape): Numbers => ({ shape, data });

export const mapped = ({ shape, data }: Numbers, change: (number: number, place: number) => number): Numbers => ({
  shape,
  data: data.map(change),
});

export const outOf = (weight: Shape): number => weight[0]!;
export const inOf = (weight: Shape): number => weight[1]!;

export const isMatrix = (weight: Shape): boolean => weight.length === 2;

/** Roles that are PEFT's tensors as they are. */
export const asTheyAre = (names: Readonly<Record<string, string>>): Pick<PeftForm, "encode" | "decode"> => ({
  encode: (roles) => Object.fromEntries(Object.entries(names).map(([role, key]) => [key, roles(role)])),
  decode: (tensors) => Object.fromEntries(Object.entries(names).map(([role, key]) => [role, tensors(key)])),
});

/** A form that only adds to the weight of a linear map. */
export const added =
  (addend: (tensors: Named, base: Base) => Matrix): PeftForm["change"] =>
  (tensors, base, scale) => ({
    weight: numbersOf(matrices.add(matrixOf(base.weight), matrices.scale(addend(tensors, base), scale))),
    bias: base.bias,
  });

export const product = (tensors: Named, left: string, right: string): Matrix =>
  matrices.multiply(matrixOf(tensors(left)), matrixOf(tensors(right)));

export const noScale: ScaleKind = { kind: "none" };
export const plain = {
  stored: [],
  constants: {},
  neutral: {},
  unread: [],
  lists: {},
  patterns: {},
  whole: {},
  brings: {},
  needsWeight: false,
} as const;

/** Factors that stand in a slot as they are, or as departures from 1. */
export const factorCodes = [
  { variant: "factors", of: (slot: number) => slot, back: (factor: number) => factor },
  { variant: "departures", of: (slot: number) => 1 + slot, back: (factor: number) => factor - 1 },
] as const;
