package instanseg.export.qupath;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;

/**
 * A set of pixels of an image, immutable.
 *
 * <p>QuPath keeps objects as polygons along the edges of pixels. Their areas, unions and differences are those of the
 * pixels inside, so sets of pixels give its results without any geometry.
 */
public final class Mask {

    private final Region bounds;
    private final BitSet pixels;

    /**
     * Makes a mask.
     *
     * @param bounds a region that holds all pixels
     * @param pixels row by row within {@code bounds}; not to be changed afterwards
     */
    Mask(Region bounds, BitSet pixels) {
        this.bounds = bounds;
        this.pixels = pixels;
    }

    /** Returns a region that holds all pixels; the smallest one for masks that {@link #trim} returned. */
    public Region bounds() {
        return bounds;
    }

    /** Returns the number of pixels. */
    public int area() {
        return pixels.cardinality();
    }

    /** Returns whether a pixel belongs to this mask. */
    public boolean contains(int x, int y) {
        return x >= bounds.x() && x < bounds.right() && y >= bounds.y() && y < bounds.bottom()
                && pixels.get(place(x, y));
    }

    private int place(int x, int y) {
        return (y - bounds.y()) * bounds.width() + x - bounds.x();
    }

    /** Returns the number of pixels that two masks share. */
    public int shared(Mask other) {
        Region common = bounds.intersect(other.bounds);
        int count = 0;
        for (int y = common.y(); y < common.bottom(); y++) {
            for (int x = common.x(); x < common.right(); x++) {
                if (contains(x, y) && other.contains(x, y)) {
                    count++;
                }
            }
        }
        return count;
    }

    /** Returns the pixels that belong to this mask, to another, or to both. */
    public Mask union(Mask other) {
        return new Mask(bounds.join(other.bounds), new BitSet()).with(this).with(other);
    }

    private Mask with(Mask part) {
        BitSet all = (BitSet) pixels.clone();
        for (int y = part.bounds.y(); y < part.bounds.bottom(); y++) {
            for (int x = part.bounds.x(); x < part.bounds.right(); x++) {
                if (part.contains(x, y)) {
                    all.set(place(x, y));
                }
            }
        }
        return new Mask(bounds, all);
    }

    /** Returns the pixels of this mask that do not belong to another. */
    public Mask minus(Mask other) {
        BitSet rest = (BitSet) pixels.clone();
        Region common = bounds.intersect(other.bounds);
        for (int y = common.y(); y < common.bottom(); y++) {
            for (int x = common.x(); x < common.right(); x++) {
                if (other.contains(x, y)) {
                    rest.clear(place(x, y));
                }
            }
        }
        return new Mask(bounds, rest).trim();
    }

    /** Returns the pixels of this mask inside a region. */
    public Mask crop(Region region) {
        Region common = bounds.intersect(region);
        if (common.equals(bounds)) {
            return this;
        }
        BitSet rest = new BitSet();
        for (int y = common.y(); y < common.bottom(); y++) {
            for (int x = common.x(); x < common.right(); x++) {
                if (contains(x, y)) {
                    rest.set((y - common.y()) * common.width() + x - common.x());
                }
            }
        }
        return new Mask(common, rest).trim();
    }

    /** Returns the same pixels with the smallest bounds. */
    Mask trim() {
        int left = Integer.MAX_VALUE;
        int right = Integer.MIN_VALUE;
        int top = Integer.MAX_VALUE;
        int bottom = Integer.MIN_VALUE;
        for (int place = pixels.nextSetBit(0); place >= 0; place = pixels.nextSetBit(place + 1)) {
            int x = bounds.x() + place % bounds.width();
            int y = bounds.y() + place / bounds.width();
            left = Math.min(left, x);
            right = Math.max(right, x);
            top = Math.min(top, y);
            bottom = Math.max(bottom, y);
        }
        if (left > right) {
            return new Mask(new Region(bounds.x(), bounds.y(), 0, 0), new BitSet());
        }
        Region smallest = new Region(left, top, right - left + 1, bottom - top + 1);
        return smallest.equals(bounds) ? this : crop(smallest);
    }

    /**
     * Returns the largest connected part with its holes filled: what QuPath keeps of an object. Pixels are connected when
     * they share an edge, and so are the pixels of a hole.
     */
    public Mask largestPart() {
        return parts().stream().map(Mask::filled).max(Comparator.comparingInt(Mask::area)).orElse(this);
    }

    /** Returns the connected parts; pixels are connected when they share an edge. */
    List<Mask> parts() {
        List<Mask> parts = new ArrayList<>();
        BitSet open = (BitSet) pixels.clone();
        for (int place = open.nextSetBit(0); place >= 0; place = open.nextSetBit(0)) {
            BitSet part = flood(bounds, open, place);
            open.andNot(part);
            parts.add(new Mask(bounds, part).trim());
        }
        return parts;
    }

    private Mask filled() {
        // One pixel of margin joins all of the outside.
        Region frame = bounds.pad(1);
        BitSet background = new BitSet();
        background.set(0, frame.width() * frame.height());
        for (int place = pixels.nextSetBit(0); place >= 0; place = pixels.nextSetBit(place + 1)) {
            background.clear((place / bounds.width() + 1) * frame.width() + place % bounds.width() + 1);
        }
        BitSet inside = flood(frame, background, 0);
        inside.flip(0, frame.width() * frame.height());
        return new Mask(frame, inside).trim();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Mask mask && mask.area() == area() && shared(mask) == area();
    }

    @Override
    public int hashCode() {
        return area();
    }

    private static BitSet flood(Region area, BitSet open, int start) {
        BitSet reached = new BitSet();
        Deque<Integer> pending = new ArrayDeque<>();
        reached.set(start);
        pending.add(start);
        while (!pending.isEmpty()) {
            int place = pending.remove();
            int x = place % area.width();
            int y = place / area.width();
            visit(x > 0, place - 1, open, reached, pending);
            visit(x < area.width() - 1, place + 1, open, reached, pending);
            visit(y > 0, place - area.width(), open, reached, pending);
            visit(y < area.height() - 1, place + area.width(), open, reached, pending);
        }
        return reached;
    }

    private static void visit(boolean exists, int place, BitSet open, BitSet reached, Deque<Integer> pending) {
        if (exists && open.get(place) && !reached.get(place)) {
            reached.set(place);
            pending.add(place);
        }
    }
}
