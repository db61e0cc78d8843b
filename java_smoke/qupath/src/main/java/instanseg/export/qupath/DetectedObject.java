package instanseg.export.qupath;

import java.util.Map;
import java.util.Optional;

/**
 * A detection, or a cell that may have a nucleus.
 *
 * @param outline pixels of the whole object
 * @param nucleus pixels of the nucleus, of a cell that has one
 * @param pathClass name of its class, if the model gives classes
 * @param measurements by name, as the model gives them
 */
public record DetectedObject(
        Mask outline, Optional<Mask> nucleus, Optional<String> pathClass, Map<String, Double> measurements) {

    /** Returns a new object of this one's class; it has no measurements yet, and no nucleus where that has no pixel. */
    DetectedObject like(Mask newOutline, Optional<Mask> newNucleus) {
        return new DetectedObject(newOutline, newNucleus.filter(mask -> mask.area() > 0), pathClass, Map.of());
    }
}
