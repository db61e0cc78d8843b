package instanseg.export.qupath;

/**
 * Which objects of a tile are dropped because the tile's border may have cut them: those that reach it, unless the image
 * ends there too. The padding shows the neighbouring tile the whole object.
 */
final class TileBorder {

    private final Region tile;
    private final Region image;

    TileBorder(Region tile, Region image) {
        this.tile = tile;
        this.image = image;
    }

    /** Returns whether an object stays. */
    boolean keeps(DetectedObject object) {
        Region box = object.outline().bounds();
        boolean leftOrRightOfImage = box.x() <= image.x() || box.right() >= image.right();
        boolean topOrBottomOfImage = box.y() <= image.y() || box.bottom() >= image.bottom();
        if (leftOrRightOfImage && topOrBottomOfImage) {
            return true;
        }
        boolean leftOrRightOfTile = box.x() <= tile.x() || box.right() >= tile.right();
        boolean topOrBottomOfTile = box.y() <= tile.y() || box.bottom() >= tile.bottom();
        if (leftOrRightOfImage) {
            return !topOrBottomOfTile;
        }
        if (topOrBottomOfImage) {
            return !leftOrRightOfTile;
        }
        return !leftOrRightOfTile && !topOrBottomOfTile;
    }
}
