// A shop.
"use strict";

const LIMIT = 10;

/**
 * Adds two numbers.
 */
function add(a, b) {
  function inner() {
    return a;
  }
  return inner() + b;
}

export const double = (x) => x * 2;

export default class Shop extends Base {
  static count = 0;

  constructor(name) {
    super();
    this.name = name;
  }

  // Opens the shop.
  async open() {
    return [1, 2].map((n) => n + 1);
  }

  get size() {
    return 0;
  }

  #hidden = () => 1;
}

const handlers = {
  onClick(event) {
    return event;
  },
  onClose: function () {},
  onMove: async (event) => {
    await event;
  },
};

Shop.prototype.close = function () {
  return null;
};

exports.helper = function helper(a) {
  return a;
};

function* ids() {
  yield 1;
}

const Local = class Named {
  run() {}
};
