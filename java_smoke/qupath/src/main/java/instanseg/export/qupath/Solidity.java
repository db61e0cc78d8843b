package instanseg.export.qupath;

import java.util.ArrayList;
import java.util.List;

/** The area of an object divided by that of its convex hull: 1 for a convex object, less for one with dents. */
final class Solidity {

    private Solidity() {}

    static double of(Mask mask) {
        return mask.area() / hullArea(mask);
    }

    /** The corners of the outermost pixels of each row, left ones downwards, then right ones; joined by monotone chains. */
    private static double hullArea(Mask mask) {
        Region bounds = mask.bounds();
        List<long[]> left = new ArrayList<>();
        List<long[]> right = new ArrayList<>();
        for (int y = bounds.y(); y < bounds.bottom(); y++) {
            int first = bounds.x();
            while (first < bounds.right() && !mask.contains(first, y)) {
                first++;
            }
            if (first == bounds.right()) {
                continue;
            }
            int last = bounds.right() - 1;
            while (!mask.contains(last, y)) {
                last--;
            }
            for (int corner = y; corner <= y + 1; corner++) {
                append(left, first, corner, 1);
                append(right, last + 1, corner, -1);
            }
        }
        double area = 0;
        List<long[]> outline = new ArrayList<>(left);
        for (int place = right.size() - 1; place >= 0; place--) {
            outline.add(right.get(place));
        }
        for (int place = 0; place < outline.size(); place++) {
            long[] from = outline.get(place);
            long[] to = outline.get((place + 1) % outline.size());
            area += (from[0] * to[1] - to[0] * from[1]) / 2.0;
        }
        return Math.abs(area);
    }

    /** Adds a corner and drops those before it that it makes a dent of; {@code side} is 1 on the left, -1 on the right. */
    private static void append(List<long[]> chain, long x, long y, int side) {
        while (chain.size() > 1 && side * turn(chain.get(chain.size() - 2), chain.get(chain.size() - 1), x, y) >= 0) {
            chain.remove(chain.size() - 1);
        }
        chain.add(new long[] {x, y});
    }

    /** Above 0 when the way over three points turns clockwise on the screen, with y downwards. */
    private static long turn(long[] first, long[] second, long x, long y) {
        return (second[0] - first[0]) * (y - first[1]) - (second[1] - first[1]) * (x - first[0]);
    }
}
