package instanseg.export.qupath;

import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * How the objects that two ways found on one image agree.
 *
 * @param first number of objects of the first way
 * @param second number of objects of the second way
 * @param matched pairs with an IoU above 0.5; above that no object has two partners
 * @param equal those of them with an IoU of at least 0.99
 */
record Comparison(int first, int second, int matched, int equal) {

    /** Compares the outlines of objects. */
    static Comparison ofOutlines(List<DetectedObject> first, List<DetectedObject> second) {
        return of(first, second, object -> Optional.of(object.outline()));
    }

    /** Compares the nuclei of cells. */
    static Comparison ofNuclei(List<DetectedObject> first, List<DetectedObject> second) {
        return of(first, second, DetectedObject::nucleus);
    }

    private static Comparison of(
            List<DetectedObject> first, List<DetectedObject> second, Function<DetectedObject, Optional<Mask>> part) {
        List<Mask> firstMasks = first.stream().flatMap(object -> part.apply(object).stream()).toList();
        List<Mask> secondMasks = second.stream().flatMap(object -> part.apply(object).stream()).toList();
        int matched = 0;
        int equal = 0;
        for (Mask mask : firstMasks) {
            double best = best(mask, secondMasks);
            matched += best > 0.5 ? 1 : 0;
            equal += best >= 0.99 ? 1 : 0;
        }
        return new Comparison(firstMasks.size(), secondMasks.size(), matched, equal);
    }

    /** Returns the largest IoU of a mask with any of others. */
    static double best(Mask mask, List<Mask> others) {
        double best = 0;
        for (Mask other : others) {
            if (!mask.bounds().intersect(other.bounds()).isEmpty()) {
                double shared = mask.shared(other);
                best = Math.max(best, shared / (mask.area() + other.area() - shared));
            }
        }
        return best;
    }

    /** Returns the F1 score of the matches. */
    double f1() {
        return 2.0 * matched / (first + second);
    }

    /** Returns the difference of the counts as a share of the second. */
    double changeOfCount() {
        return Math.abs(first - second) / (double) second;
    }

    /** Returns the counts of two comparisons together. */
    Comparison plus(Comparison other) {
        return new Comparison(
                first + other.first, second + other.second, matched + other.matched, equal + other.equal);
    }
}
