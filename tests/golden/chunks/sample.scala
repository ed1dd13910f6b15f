package shop

import scala.math.Pi

/** A shape. */
trait Shape {
  def area: Double
  def name: String = "shape"
}

case class Circle(radius: Double) extends Shape {
  val Limit = 10

  // The area.
  override def area: Double = {
    def inner(x: Double) = x * Pi
    inner(radius)
  }
}

object Circle {
  def of(radius: Double): Circle = new Circle(radius) {
    override def name = "anonymous"
  }
}

enum Color:
  case Red, Green

type Ints = List[Int]

given ordering: Ordering[Circle] with
  def compare(a: Circle, b: Circle) = 0

def helper(numbers: Int*): Int =
  numbers.sum
