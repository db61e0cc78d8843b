package instanseg.export.qupath;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.PriorityQueue;

/**
 * Takes care that no pixel belongs to two objects: the object with the smoothest outline keeps its pixels, and of what is
 * left of the others the largest part stays.
 */
final class OverlapFixer {

    private record Candidate(DetectedObject object, double solidity) {

        static Candidate of(DetectedObject object) {
            return new Candidate(object, Solidity.of(object.outline()));
        }

        int area() {
            return object.outline().area();
        }

        Region bounds() {
            return object.outline().bounds();
        }
    }

    private static final Comparator<Candidate> BEST_FIRST = Comparator.comparingDouble(Candidate::solidity)
            .thenComparingInt(Candidate::area)
            .reversed()
            .thenComparingInt(candidate -> candidate.bounds().y())
            .thenComparingInt(candidate -> candidate.bounds().x());

    private OverlapFixer() {}

    /** Returns objects without overlaps. */
    static List<DetectedObject> fix(List<DetectedObject> objects) {
        PriorityQueue<Candidate> open = new PriorityQueue<>(BEST_FIRST);
        objects.forEach(object -> open.add(Candidate.of(object)));
        List<DetectedObject> kept = new ArrayList<>();
        while (!open.isEmpty()) {
            DetectedObject best = open.remove().object();
            kept.add(best);
            List<Candidate> overlapping = open.stream()
                    .filter(candidate -> candidate.object().outline().shared(best.outline()) > 0)
                    .toList();
            for (Candidate candidate : overlapping) {
                open.remove(candidate);
                subtract(candidate.object(), best.outline()).ifPresent(rest -> open.add(Candidate.of(rest)));
            }
        }
        return kept;
    }

    private static Optional<DetectedObject> subtract(DetectedObject object, Mask taken) {
        Mask outline = object.outline().minus(taken).largestPart();
        if (outline.area() == 0) {
            return Optional.empty();
        }
        Optional<Mask> nucleus =
                object.nucleus().map(mask -> mask.minus(taken).largestPart()).filter(mask -> mask.area() > 0);
        return Optional.of(object.reshape(outline, nucleus));
    }
}
