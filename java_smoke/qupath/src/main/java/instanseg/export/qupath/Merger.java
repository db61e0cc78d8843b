package instanseg.export.qupath;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Joins objects that several tiles found: two objects of a class are one when they share at least half of the smaller
 * one's pixels, and so on from object to object. Each measurement of the new object is the mean of theirs.
 */
final class Merger {

    private static final double SMALLEST_SHARE = 0.5;

    private Merger() {}

    /** Returns the joined objects; objects that stay alone stay as they are. */
    static List<DetectedObject> merge(List<DetectedObject> objects) {
        List<DetectedObject> open = new ArrayList<>(objects);
        open.sort(Comparator.comparingInt(object -> object.outline().bounds().x()));
        boolean[] taken = new boolean[open.size()];
        int widest = open.stream().mapToInt(object -> object.outline().bounds().width()).max().orElse(0);
        List<DetectedObject> merged = new ArrayList<>();
        for (int first = 0; first < open.size(); first++) {
            if (!taken[first]) {
                taken[first] = true;
                merged.add(join(cluster(first, open, taken, widest)));
            }
        }
        return merged;
    }

    private static List<DetectedObject> cluster(int first, List<DetectedObject> open, boolean[] taken, int widest) {
        List<DetectedObject> cluster = new ArrayList<>();
        Deque<Integer> pending = new ArrayDeque<>(List.of(first));
        while (!pending.isEmpty()) {
            int current = pending.remove();
            DetectedObject object = open.get(current);
            cluster.add(object);
            int left = object.outline().bounds().x();
            int right = object.outline().bounds().right();
            int next = current;
            // Ordered by their left edges, so the neighbours are those between.
            while (next > 0 && open.get(next - 1).outline().bounds().x() > left - widest) {
                next--;
            }
            for (; next < open.size() && open.get(next).outline().bounds().x() < right; next++) {
                if (!taken[next] && same(object, open.get(next))) {
                    taken[next] = true;
                    pending.add(next);
                }
            }
        }
        return cluster;
    }

    private static boolean same(DetectedObject first, DetectedObject second) {
        int smaller = Math.min(first.outline().area(), second.outline().area());
        return first.pathClass().equals(second.pathClass())
                && first.outline().shared(second.outline()) >= SMALLEST_SHARE * smaller;
    }

    private static DetectedObject join(List<DetectedObject> cluster) {
        if (cluster.size() == 1) {
            return cluster.get(0);
        }
        Mask outline = cluster.stream().map(DetectedObject::outline).reduce(Mask::union).orElseThrow();
        Optional<Mask> nucleus = cluster.stream().flatMap(object -> object.nucleus().stream()).reduce(Mask::union);
        return new DetectedObject(outline, nucleus, cluster.get(0).pathClass(), means(cluster));
    }

    /** The first object says which measurements there are; one that another lacks is not a number. */
    private static Map<String, Double> means(List<DetectedObject> cluster) {
        Map<String, Double> means = new LinkedHashMap<>();
        for (String name : cluster.get(0).measurements().keySet()) {
            means.put(name, cluster.stream()
                    .mapToDouble(object -> object.measurements().getOrDefault(name, Double.NaN))
                    .average()
                    .orElseThrow());
        }
        return means;
    }
}
