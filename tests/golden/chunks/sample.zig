//! A shop.
const std = @import("std");

pub const limit: usize = 10;

/// A circle.
pub const Circle = struct {
    radius: f64,

    const Self = @This();

    /// The area.
    pub fn area(self: Self) f64 {
        return self.radius;
    }
};

const Color = enum {
    red,
    green,

    fn next(self: Color) Color {
        return self;
    }
};

const Number = union(enum) { int: i64, float: f64 };

const Failure = error{ Closed, Full };

var counter: u32 = 0;

pub fn max(comptime T: type, a: T, b: T) T {
    return if (a > b) a else b;
}

test "it works" {
    try std.testing.expect(true);
}
