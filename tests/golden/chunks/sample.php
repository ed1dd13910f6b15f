<?php

namespace App\Shop;

use App\Base;

const LIMIT = 10;

/**
 * A shape.
 */
interface Shape
{
    public function area(): float;
}

trait Counts
{
    private int $count = 0;

    protected function count(): int
    {
        return $this->count;
    }
}

#[Entity]
final class Circle extends Base implements Shape
{
    use Counts;

    public const SIDES = 0;

    public function __construct(private float $radius)
    {
    }

    /** The area. */
    public function area(): float
    {
        $helper = function ($x) { return $x; };
        return $helper($this->radius);
    }
}

enum Color: string
{
    case Red = 'red';

    public static function first(): self
    {
        return self::Red;
    }
}

function helper(int ...$numbers): int
{
    return new class {
        public function run() {}
    };
}
