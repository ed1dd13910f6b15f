import Foundation

let limit = 10

/// A shape.
protocol Shape {
    var name: String { get }
    func area() -> Double
}

@objc
public final class Circle: Shape {
    let name = "circle"
    private var radius: Double

    init(radius: Double) {
        self.radius = radius
    }

    deinit {
        print("gone")
    }

    /// The area.
    func area() -> Double {
        func inner() -> Double { return radius }
        return inner()
    }

    subscript(index: Int) -> Int { return index }
}

struct Point<T> {
    var x: T
}

enum Color: String {
    case red, green

    func next() -> Color { return .red }
}

extension Circle {
    static func of(_ radius: Double) -> Circle { return Circle(radius: radius) }
}

typealias Ints = [Int]

func helper<T>(_ items: [T]) -> Int {
    return items.count
}
