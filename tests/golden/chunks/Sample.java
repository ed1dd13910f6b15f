package shop;

import java.util.List;

/**
 * A shop.
 */
@Deprecated
public class Sample<T> extends Base implements Runnable {
    public static final int LIMIT = 10;
    private int count;

    public Sample(int count) {
        this.count = count;
    }

    /** Runs it. */
    @Override
    public void run() {
        Runnable inner = new Runnable() {
            @Override
            public void run() {
                count++;
            }
        };
        inner.run();
    }

    static <A> List<A> listOf(
            A first,
            A second) throws Exception {
        return List.of(first, second);
    }

    enum Color {
        RED,
        GREEN;

        Color next() {
            return RED;
        }
    }

    interface Shape {
        double area();
    }

    record Point(int x, int y) {
        int sum() {
            return x + y;
        }
    }

    @interface Marker {
        String value();
    }
}
