package instanseg.export.testing;

import instanseg.export.protocol.NumpyArray;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** The rule for two label maps of one image: the same instances under the same ids, and hardly a pixel that differs. */
public final class Agreement {

    /** So many pixels in a million may differ ... */
    public static final int PPM = 10;

    /** ... or so many, in small images where that is more. */
    public static final int FEW_PIXELS = 3;

    private static final double SAME_INSTANCE = 0.5;

    private Agreement() {}

    /**
     * Compares two label maps (B, T, H, W).
     *
     * @return empty if they agree, else what differs, in words
     */
    public static String difference(NumpyArray expected, NumpyArray found) {
        if (!Arrays.equals(expected.shape(), found.shape())) {
            return "the label map is " + found + ", expected is " + expected;
        }
        long[] shape = expected.shape();
        int plane = Math.toIntExact(shape[2] * shape[3]);
        int differing = 0;
        for (int start = 0; start < expected.size(); start += plane) {
            Map<Integer, int[]> areas = new HashMap<>();
            for (int place = start; place < start + plane; place++) {
                int first = (int) expected.at(place);
                int second = (int) found.at(place);
                areas.computeIfAbsent(first, id -> new int[3])[0]++;
                areas.computeIfAbsent(second, id -> new int[3])[1]++;
                if (first == second) {
                    areas.get(first)[2]++;
                } else {
                    differing++;
                }
            }
            areas.remove(0);
            Set<Integer> wrong = new TreeSet<>();
            areas.forEach((id, area) -> {
                if (area[2] < SAME_INSTANCE * (area[0] + area[1] - area[2])) {
                    wrong.add(id);
                }
            });
            if (!wrong.isEmpty()) {
                return "in plane " + start / plane + " these ids are not the same instances: " + wrong;
            }
        }
        int allowed = Math.max(FEW_PIXELS, (int) ((long) PPM * expected.size() / 1_000_000));
        return differing <= allowed ? "" : differing + " pixels differ, more than the " + allowed + " that may";
    }

    /** The number of instances: ids above 0, counted in each plane. */
    public static int instances(NumpyArray labels) {
        long[] shape = labels.shape();
        int plane = Math.toIntExact(shape[2] * shape[3]);
        int count = 0;
        for (int start = 0; start < labels.size(); start += plane) {
            Set<Integer> ids = new TreeSet<>();
            for (int place = start; place < start + plane; place++) {
                ids.add((int) labels.at(place));
            }
            ids.remove(0);
            count += ids.size();
        }
        return count;
    }
}
