import { Base } from "./base";

export interface Shape {
  readonly name: string;
  area(): number;
}

export type Id = string | number;

export enum Color {
  Red,
  Green,
}

const MAX: number = 3;

namespace Geometry {
  /** A circle. */
  @sealed
  export abstract class Circle<T> extends Base implements Shape {
    private radius = 1;

    constructor(public name: string) {
      super();
    }

    abstract area(): number;

    static of(name: string): Circle<string> {
      return create(name);
    }
  }
}

export function parse(text: string): Id;
export function parse(text: number): Id;
export function parse(text: any): Id {
  const convert = (value: any): Id => value;
  return convert(text);
}

declare module "other" {
  function outside(): void;
}
