package instanseg.export.qupath;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.Device;
import ai.djl.inference.Predictor;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every setting that a script can send has the effect that its name says, in every Java type that it can come in. */
@Timeout(300)
class OptionsTest {

    private static final String BOTH = "nuclei_cells_channelnet";
    private static final String NUCLEI = "nuclei_batchnorm";
    private static final String SEEDS = "multihead_seeds2_coords4";

    @Test
    void seedThresholdDropsSeeds() throws Exception {
        assertTrue(count(run(NUCLEI, Map.of("seed_threshold", 0.85))) < count(run(NUCLEI, Map.of())));
    }

    @Test
    void maskThresholdShrinksObjects() throws Exception {
        assertTrue(area(run(NUCLEI, Map.of("mask_threshold", 0.8))) < area(run(NUCLEI, Map.of())));
    }

    @Test
    void peakDistanceKeepsSeedsApart() throws Exception {
        // Without merging, each seed is an object.
        int near = count(run(NUCLEI, Map.of("overlap_threshold", 1.0, "peak_distance", 3)));
        assertTrue(count(run(NUCLEI, Map.of("overlap_threshold", 1.0, "peak_distance", 20))) < near);
    }

    @Test
    void overlapThresholdMergesObjects() throws Exception {
        int apart = count(run(NUCLEI, Map.of("overlap_threshold", 1.0, "peak_distance", 1)));
        assertTrue(count(run(NUCLEI, Map.of("overlap_threshold", 0.0, "peak_distance", 1))) < apart);
    }

    @Test
    void minSizeRemovesSmallObjects() throws Exception {
        List<Integer> before = areas(run(NUCLEI, Map.of()));
        int median = before.get(before.size() / 2);
        List<Integer> kept = areas(run(NUCLEI, Map.of("min_size", median)));
        assertEquals(before.stream().filter(area -> area >= median).toList(), kept);
        assertTrue(kept.size() < before.size());
    }

    @Test
    void windowSizeLimitsObjects() throws Exception {
        int half = 6;
        Prediction small = run(NUCLEI, Map.of("window_size", half));
        assertTrue(count(small) > 0);
        assertTrue(widest(run(NUCLEI, Map.of())) > 2 * half);
        assertTrue(widest(run(NUCLEI, Map.of("window_size", half, "overlap_threshold", 1.0))) <= 2 * half);
    }

    @Test
    void cleanupFragmentsLeavesOnePart() throws Exception {
        // A low threshold makes ragged objects, so that there is something to clean up.
        Map<String, Object> ragged = Map.of("mask_threshold", 0.3, "cleanup_fragments", false, "connected", false);
        Map<String, Object> clean = Map.of("mask_threshold", 0.3, "cleanup_fragments", true, "connected", false);
        assertTrue(stray(run(NUCLEI, clean)) < stray(run(NUCLEI, ragged)));
    }

    @Test
    void connectedLeavesOnePart() throws Exception {
        Map<String, Object> pieces = Map.of("mask_threshold", 0.3, "cleanup_fragments", false, "connected", false);
        Map<String, Object> whole = Map.of("mask_threshold", 0.3, "cleanup_fragments", false, "connected", true);
        assertTrue(piecesTooMany(run(NUCLEI, pieces)) > 0);
        assertEquals(0, piecesTooMany(run(NUCLEI, whole)));
    }

    @Test
    void fgThresholdDropsSeedsOutsideTheForeground() throws Exception {
        int before = count(run(SEEDS, Map.of("seed_threshold", 0.3)));
        assertTrue(before > 0);
        assertTrue(count(run(SEEDS, Map.of("seed_threshold", 0.3, "fg_threshold", 1.0))) < before);
    }

    @Test
    void normalizeStretchesATileAgain() throws Exception {
        int[] left = run(NUCLEI, Map.of()).labels();
        // The tile comes normalised, so auto and never leave it as it is.
        assertArrayEquals(left, run(NUCLEI, Map.of("normalize", 0)).labels());
        assertArrayEquals(left, run(NUCLEI, Map.of("normalize", 2)).labels());
        assertFalse(Arrays.equals(left, run(NUCLEI, Map.of("normalize", 1)).labels()));
    }

    @Test
    void resolveCellAndNucleusGivesBothOneId() throws Exception {
        assertTrue(nucleiOutsideTheirCell(run(BOTH, Map.of("resolve_cell_and_nucleus", false))) > 0);
        assertEquals(0, nucleiOutsideTheirCell(run(BOTH, Map.of("resolve_cell_and_nucleus", true))));
    }

    @Test
    void targetSegmentationChoosesTheOutputs() throws Exception {
        assertEquals(2, run(BOTH, Map.of()).structures());
        assertEquals(2, run(BOTH, Map.of("target_segmentation", new int[] {1, 1})).structures());
        Prediction nuclei = run(BOTH, Map.of("target_segmentation", new int[] {1, 0}));
        Prediction cells = run(BOTH, Map.of("target_segmentation", new int[] {0, 1}));
        assertEquals(1, nuclei.structures());
        assertEquals(1, cells.structures());
        assertTrue(area(nuclei) < area(cells), "nuclei are smaller than cells");
        assertThrows(Exception.class, () -> run(BOTH, Map.of("target_segmentation", new int[] {0, 0})));
    }

    /** A value as a script may write it, and the same value in the type that the setting has. */
    record SameValue(String model, String name, Object sent, Object plain) {}

    static List<SameValue> sameValues() {
        return List.of(
                new SameValue(NUCLEI, "seed_threshold", 0.85, 0.85f),
                new SameValue(NUCLEI, "seed_threshold", new float[] {0.85f}, 0.85f),
                new SameValue(NUCLEI, "seed_threshold", 1, 1.0f),
                new SameValue(NUCLEI, "min_size", 90L, 90),
                new SameValue(NUCLEI, "min_size", (byte) 90, 90),
                new SameValue(NUCLEI, "min_size", 90.0, 90),
                new SameValue(NUCLEI, "peak_distance", new long[] {15}, 15),
                new SameValue(NUCLEI, "cleanup_fragments", 0, false),
                new SameValue(NUCLEI, "cleanup_fragments", new boolean[] {false}, false),
                new SameValue(BOTH, "target_segmentation", new long[] {1, 0}, new int[] {1, 0}),
                new SameValue(BOTH, "target_segmentation", new byte[] {1, 0}, new int[] {1, 0}),
                new SameValue(BOTH, "target_segmentation", new boolean[] {true, false}, new int[] {1, 0}),
                new SameValue(BOTH, "target_segmentation", new float[] {1, 0}, new int[] {1, 0}));
    }

    @ParameterizedTest
    @MethodSource("sameValues")
    void theTypeOfAValueDoesNotMatter(SameValue value) throws Exception {
        assertArrayEquals(
                run(value.model(), Map.of(value.name(), value.plain())).labels(),
                run(value.model(), Map.of(value.name(), value.sent())).labels());
    }

    @Test
    void anUnknownSettingIsPassedOver() throws Exception {
        assertArrayEquals(run(NUCLEI, Map.of()).labels(), run(NUCLEI, Map.of("no_such_setting", 3)).labels());
    }

    @Test
    void aValueThatCannotBeSentIsRefused() {
        Exception error = assertThrows(Exception.class, () -> run(NUCLEI, Map.of("min_size", List.of(1))));
        assertTrue(String.valueOf(error.getMessage()).contains("min_size"), String.valueOf(error.getMessage()));
    }

    /** A package's model and a tile with many objects, read once. */
    private record Loaded(ZooModel<TileTranslator.Tile, Prediction> model, TileTranslator.Tile tile) {}

    private static final Map<String, Loaded> LOADED = new HashMap<>();

    private static Loaded load(String name) throws Exception {
        Path folder = Python.folder(name);
        boolean both = name.equals(BOTH);
        Image whole = Python.image(folder, both ? "five_channels" : "large/histology");
        Region region = both ? whole.region() : new Region(640, 576, 256, 256);
        float[] pixels = whole.read(region);
        Normalization.of(whole, whole.region()).apply(pixels);
        ZooModel<TileTranslator.Tile, Prediction> model = Criteria.builder()
                .setTypes(TileTranslator.Tile.class, Prediction.class)
                .optModelUrls(ModelFolder.open(folder).weights().toUri().toString())
                .optDevice(Device.cpu())
                .optTranslator(new TileTranslator(Map.of(), Optional.empty()))
                .build()
                .loadModel();
        return new Loaded(model, new TileTranslator.Tile(whole.channels(), region.height(), region.width(), pixels));
    }

    /** Runs the tile with settings, the way the client does. */
    private static Prediction run(String name, Map<String, ?> settings) throws Exception {
        if (!LOADED.containsKey(name)) {
            LOADED.put(name, load(name));
        }
        Loaded loaded = LOADED.get(name);
        TileTranslator translator = new TileTranslator(settings, Optional.empty());
        try (Predictor<TileTranslator.Tile, Prediction> predictor = loaded.model().newPredictor(translator)) {
            return predictor.predict(loaded.tile());
        }
    }

    @AfterAll
    static void close() {
        LOADED.values().forEach(loaded -> loaded.model().close());
        LOADED.clear();
    }

    private static Map<Integer, Region> boxes(Prediction prediction) {
        Map<Integer, Region> boxes = new TreeMap<>();
        for (int place = 0; place < prediction.height() * prediction.width(); place++) {
            if (prediction.labels()[place] > 0) {
                Region pixel = new Region(place % prediction.width(), place / prediction.width(), 1, 1);
                boxes.merge(prediction.labels()[place], pixel, Region::join);
            }
        }
        return boxes;
    }

    private static int count(Prediction prediction) {
        return boxes(prediction).size();
    }

    private static int widest(Prediction prediction) {
        return boxes(prediction).values().stream()
                .mapToInt(box -> Math.max(box.width(), box.height()))
                .max()
                .orElse(0);
    }

    private static long area(Prediction prediction) {
        int plane = prediction.height() * prediction.width();
        return Arrays.stream(prediction.labels(), 0, plane).filter(label -> label > 0).count();
    }

    /** Returns the areas of all objects of the first structure, in order. */
    private static List<Integer> areas(Prediction prediction) {
        Map<Integer, Integer> areas = new TreeMap<>();
        for (int label : prediction.labels()) {
            if (label > 0) {
                areas.merge(label, 1, Integer::sum);
            }
        }
        return areas.values().stream().sorted().toList();
    }

    /** Returns how many pixels lie apart from the largest part of their object, or in one of its holes. */
    private static long stray(Prediction prediction) {
        long solid = new LabelsToObjects(List.of())
                .convert(prediction, new Region(0, 0, prediction.width(), prediction.height())).stream()
                .mapToLong(object -> object.outline().area())
                .sum();
        return Math.abs(solid - area(prediction));
    }

    /** Counts the parts of the first structure's objects, neighbours along rows and columns only, less the objects. */
    private static long piecesTooMany(Prediction prediction) {
        int width = prediction.width();
        int plane = prediction.height() * width;
        int[] left = Arrays.copyOf(prediction.labels(), plane);
        long objects = Arrays.stream(left).filter(label -> label > 0).distinct().count();
        long parts = 0;
        ArrayDeque<Integer> waiting = new ArrayDeque<>();
        for (int start = 0; start < plane; start++) {
            int label = left[start];
            if (label == 0) {
                continue;
            }
            parts++;
            waiting.add(start);
            left[start] = 0;
            while (!waiting.isEmpty()) {
                int place = waiting.remove();
                int[] neighbours = {
                    place - width,
                    place + width,
                    place % width == 0 ? -1 : place - 1,
                    place % width == width - 1 ? -1 : place + 1
                };
                for (int next : neighbours) {
                    if (next >= 0 && next < plane && left[next] == label) {
                        left[next] = 0;
                        waiting.add(next);
                    }
                }
            }
        }
        return parts - objects;
    }

    private static int nucleiOutsideTheirCell(Prediction prediction) {
        int plane = prediction.height() * prediction.width();
        int count = 0;
        for (int place = 0; place < plane; place++) {
            int nucleus = prediction.labels()[place];
            if (nucleus > 0 && prediction.labels()[plane + place] != nucleus) {
                count++;
            }
        }
        return count;
    }
}
