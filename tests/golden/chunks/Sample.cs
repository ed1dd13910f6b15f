using System;

namespace Shop.Core
{
    /// <summary>A shape.</summary>
    public interface IShape
    {
        double Area();
    }

    [Serializable]
    public abstract class Circle<T> : IShape where T : class
    {
        public const int Limit = 10;
        private int count;

        public event EventHandler Changed;

        public Circle(int count)
        {
            this.count = count;
        }

        public string Name { get; set; }

        /// <summary>The area.</summary>
        public double Area() => count * 2;

        public static Circle<T> operator +(Circle<T> a, Circle<T> b) => a;

        private async void Run()
        {
            int Local(int x)
            {
                return x + 1;
            }
            Local(count);
        }
    }

    public struct Point
    {
        public int X;
    }

    public enum Color { Red, Green }

    public record Person(string First, string Last);

    public delegate void Handler(int code);
}
