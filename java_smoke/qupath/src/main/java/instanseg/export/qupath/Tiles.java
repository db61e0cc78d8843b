package instanseg.export.qupath;

import java.util.ArrayList;
import java.util.List;

/**
 * How QuPath cuts a region into tiles: squares without gaps, centred on the region, so that the outer ones reach over
 * its edges by the same amount; each is then padded, and cut off where the image ends.
 */
public final class Tiles {

    private Tiles() {}

    /**
     * Returns the regions that are read and sent to the model, column by column.
     *
     * @param region what is to be segmented
     * @param image the whole image, beyond which nothing can be read
     * @param size width and height of a tile with its padding, in pixels
     * @param padding on each side, in pixels
     * @throws IllegalArgumentException the padding leaves nothing of the tile
     */
    public static List<Region> of(Region region, Region image, int size, int padding) {
        int step = size - 2 * padding;
        if (step < 1) {
            throw new IllegalArgumentException(
                    "A padding of " + padding + " pixels on both sides leaves nothing of a tile of " + size);
        }
        List<Region> tiles = new ArrayList<>();
        for (int x = start(region.x(), region.width(), step); x < region.right(); x += step) {
            for (int y = start(region.y(), region.height(), step); y < region.bottom(); y += step) {
                tiles.add(new Region(x, y, step, step).pad(padding).intersect(image));
            }
        }
        return tiles;
    }

    private static int start(int origin, int length, int step) {
        int rest = length % step;
        // Cut towards zero, not down: one pixel of difference for a region at the left edge of the image.
        return (int) (origin - (rest == 0 ? 0 : (step - rest) / 2.0));
    }
}
