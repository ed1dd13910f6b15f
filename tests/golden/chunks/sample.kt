package shop

import kotlin.math.PI

const val LIMIT = 10

/** A shape. */
interface Shape {
    val name: String
    fun area(): Double
}

data class Circle(val radius: Double) : Shape {
    override val name = "circle"

    constructor(text: String) : this(text.toDouble())

    // The area.
    override fun area(): Double = PI * radius

    fun <T> visit(block: (Circle) -> T): T {
        fun inner() = block(this)
        return inner()
    }

    companion object {
        fun of(radius: Double) = Circle(radius)
    }

    inner class Part
}

enum class Color {
    RED, GREEN;

    fun next() = RED
}

object Registry {
    fun register() {}
}

typealias Ints = List<Int>

fun String.shout(): String {
    return uppercase()
}
