package instanseg.export.qupath;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.PriorityQueue;

/**
 * Resolves overlaps: the object with the smoothest outline keeps its pixels, and those that overlap it lose them.
 *
 * <p>What is left of an object stays if it is in one piece, and is dropped if the cut splits it. It is made anew, as an
 * object like the one that kept its pixels: with that one's class, and without measurements. An object within another does
 * not count as overlapping it.
 */
final class OverlapFixer {

    private record Candidate(DetectedObject object, double solidity) {

        static Candidate of(DetectedObject object) {
            return new Candidate(object, Solidity.of(object.outline()));
        }

        Mask outline() {
            return object.outline();
        }

        int area() {
            return outline().area();
        }
    }

    private static final Comparator<Candidate> BEST_FIRST = Comparator.comparingDouble(Candidate::solidity)
            .thenComparingInt(Candidate::area)
            .reversed()
            .thenComparingInt(candidate -> candidate.outline().bounds().y())
            .thenComparingInt(candidate -> candidate.outline().bounds().x());

    private OverlapFixer() {}

    /** Returns objects none of which overlaps another. */
    static List<DetectedObject> fix(List<DetectedObject> objects) {
        PriorityQueue<Candidate> open = new PriorityQueue<>(BEST_FIRST);
        objects.forEach(object -> open.add(Candidate.of(object)));
        List<DetectedObject> kept = new ArrayList<>();
        while (!open.isEmpty()) {
            DetectedObject best = open.remove().object();
            kept.add(best);
            List<Candidate> overlapping = open.stream()
                    .filter(candidate -> overlap(best.outline(), candidate.outline()))
                    .sorted(BEST_FIRST)
                    .toList();
            open.removeAll(overlapping);
            // Each is cut by the best one, and by the whole of those that were cut before it and stayed.
            List<Mask> taken = new ArrayList<>(List.of(best.outline()));
            for (Candidate candidate : overlapping) {
                Mask rest = minus(candidate.outline(), taken);
                if (rest.area() > 0 && rest.parts().size() <= candidate.outline().parts().size()) {
                    Optional<Mask> nucleus = candidate.object().nucleus().map(mask -> minus(mask, taken));
                    open.add(Candidate.of(best.like(rest, nucleus)));
                    taken.add(candidate.outline());
                }
            }
        }
        return kept;
    }

    private static boolean overlap(Mask first, Mask second) {
        int shared = first.shared(second);
        boolean equal = shared == first.area() && shared == second.area();
        return equal || (shared > 0 && shared < first.area() && shared < second.area());
    }

    private static Mask minus(Mask mask, List<Mask> taken) {
        Mask rest = mask;
        for (Mask part : taken) {
            rest = rest.minus(part);
        }
        return rest;
    }
}
