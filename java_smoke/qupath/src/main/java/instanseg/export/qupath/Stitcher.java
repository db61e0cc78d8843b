package instanseg.export.qupath;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Makes the objects of a region from what the model gives for its tiles. */
public final class Stitcher {

    private final LabelsToObjects converter;
    private final Region region;
    private final Region image;
    private final List<DetectedObject> found = new ArrayList<>();

    /**
     * Starts without objects.
     *
     * @param outputs of the model
     * @param region that objects are cut off at
     * @param image the whole image
     */
    public Stitcher(List<ModelFolder.Output> outputs, Region region, Region image) {
        this.converter = new LabelsToObjects(outputs);
        this.region = region;
        this.image = image;
    }

    /** Adds the objects of a tile, apart from those that its border may have cut. */
    public void add(Region tile, Prediction prediction) {
        TileBorder border = new TileBorder(tile, image);
        for (DetectedObject object : converter.convert(prediction, tile)) {
            if (border.keeps(object)) {
                inside(object).ifPresent(found::add);
            }
        }
    }

    private Optional<DetectedObject> inside(DetectedObject object) {
        Mask outline = object.outline().crop(region);
        if (outline.area() == object.outline().area()) {
            return Optional.of(object);
        }
        // What the annotation cuts is made anew, and loses its measurements.
        Optional<Mask> nucleus = object.nucleus().map(mask -> mask.crop(region));
        return outline.area() == 0 ? Optional.empty() : Optional.of(object.like(outline, nucleus));
    }

    /** Returns the objects of all tiles: those that several tiles found are joined, and none overlaps another. */
    public List<DetectedObject> objects() {
        return OverlapFixer.fix(Merger.merge(found));
    }
}
