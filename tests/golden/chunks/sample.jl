module Shop

using Base

const LIMIT = 10

"""
    area(c)

The area.
"""
function area(c::Circle)
    inner(x) = x * 2
    return inner(c.radius)
end

abstract type Shape end

struct Circle{T} <: Shape
    radius::T
    Circle(r) = new(r)
end

mutable struct Box
    size::Int
end

# Doubles.
double(x) = 2x

macro square(x)
    return :($x * $x)
end

Base.show(io::IO, c::Circle) = print(io, c.radius)

function Base.length(b::Box)::Int
    b.size
end

end
