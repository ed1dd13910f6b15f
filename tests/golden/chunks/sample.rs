//! A shop.

use std::fmt;

pub const LIMIT: usize = 10;
static NAME: &str = "shop";

/// A circle.
#[derive(Debug, Clone)]
pub struct Circle<T> {
    radius: T,
}

pub enum Color {
    Red,
    Green,
}

pub trait Shape {
    const SIDES: u32;
    fn area(&self) -> f64;
    fn name(&self) -> String {
        String::new()
    }
}

impl<T: fmt::Debug> Circle<T> {
    /// Makes one.
    #[inline]
    pub fn new(radius: T) -> Self {
        fn check() {}
        check();
        Circle { radius }
    }
}

impl Shape for Circle<f64> {
    const SIDES: u32 = 0;
    fn area(&self) -> f64 {
        self.radius
    }
}

type Ints = Vec<i32>;

macro_rules! square {
    ($x:expr) => {
        $x * $x
    };
}

mod tests {
    #[test]
    fn it_works() {
        assert_eq!(2, 2);
    }
}

extern "C" {
    fn abs(x: i32) -> i32;
}
