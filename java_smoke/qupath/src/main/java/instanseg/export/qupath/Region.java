package instanseg.export.qupath;

/**
 * A rectangle of whole pixels.
 *
 * @param x left edge
 * @param y upper edge
 * @param width in pixels; 0 when empty
 * @param height in pixels; 0 when empty
 */
public record Region(int x, int y, int width, int height) {

    /** Returns the first column to the right of this region. */
    public int right() {
        return x + width;
    }

    /** Returns the first row below this region. */
    public int bottom() {
        return y + height;
    }

    /** Returns this region with {@code margin} pixels more on each side. */
    public Region pad(int margin) {
        return new Region(x - margin, y - margin, width + 2 * margin, height + 2 * margin);
    }

    /** Returns what this region shares with another; empty when they are apart. */
    public Region intersect(Region other) {
        int left = Math.max(x, other.x);
        int top = Math.max(y, other.y);
        int sharedWidth = Math.max(0, Math.min(right(), other.right()) - left);
        int sharedHeight = Math.max(0, Math.min(bottom(), other.bottom()) - top);
        return new Region(left, top, sharedWidth, sharedHeight);
    }

    /** Returns whether there is no pixel in it. */
    public boolean isEmpty() {
        return width <= 0 || height <= 0;
    }

    /** Returns the smallest region that holds this one and another. */
    public Region join(Region other) {
        int left = Math.min(x, other.x);
        int top = Math.min(y, other.y);
        return new Region(left, top, Math.max(right(), other.right()) - left, Math.max(bottom(), other.bottom()) - top);
    }
}
