# A shop.
require "set"

module Shop
  LIMIT = 10

  # A circle.
  class Circle < Shape
    attr_reader :radius

    def initialize(radius)
      @radius = radius
    end

    # Makes one.
    def self.of(radius)
      new(radius)
    end

    def ==(other)
      radius == other.radius
    end

    alias equal? ==

    class << self
      def default = new(1)
    end

    private

    def empty?
      radius.zero?
    end
  end

  class Errors::Closed < StandardError; end
end

def helper(*args) = args
