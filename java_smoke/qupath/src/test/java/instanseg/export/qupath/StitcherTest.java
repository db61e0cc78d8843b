package instanseg.export.qupath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Small drawn cases of what happens to objects between tiles. */
class StitcherTest {

    private static final List<ModelFolder.Output> LABELS =
            List.of(new ModelFolder.Output("instance_segmentation", List.of()));

    @Test
    void anObjectAtATilesBorderIsLeftToTheNeighbour() {
        Region image = new Region(0, 0, 12, 4);
        Stitcher stitcher = new Stitcher(LABELS, image, image);
        stitcher.add(new Region(0, 0, 8, 4), labels(8, "........", "......##", "......##", "........"));
        assertEquals(List.of(), stitcher.objects());
        stitcher.add(new Region(4, 0, 8, 4), labels(8, "........", "..###...", "..###...", "........"));
        assertEquals("###/###", MaskTest.show(only(stitcher.objects()).outline()));
        assertEquals(new Region(6, 1, 3, 2), only(stitcher.objects()).outline().bounds());
    }

    @Test
    void anObjectAtTheImagesBorderStaysUnlessTheTileCutsItToo() {
        Region image = new Region(0, 0, 12, 4);
        Stitcher stitcher = new Stitcher(LABELS, image, image);
        stitcher.add(new Region(0, 0, 8, 4), labels(8, "##......", "........", "......22", "........"));
        assertEquals(new Region(0, 0, 2, 1), only(stitcher.objects()).outline().bounds());
        Stitcher cut = new Stitcher(LABELS, image, image);
        cut.add(new Region(0, 0, 8, 3), labels(8, "........", "##......", "##......"));
        assertEquals(List.of(), cut.objects());
    }

    @Test
    void twoViewsOfAnObjectBecomeOne() {
        Region image = new Region(0, 0, 16, 4);
        Stitcher stitcher = new Stitcher(LABELS, image, image);
        stitcher.add(new Region(0, 0, 10, 4), labels(10, "..........", ".....###..", ".....###..", ".........."));
        stitcher.add(new Region(4, 0, 10, 4), labels(10, "..........", "..###.....", "..###.....", ".........."));
        assertEquals("####/####", MaskTest.show(only(stitcher.objects()).outline()));
    }

    @Test
    void objectsThatShareLittleAreCutApartAndTheSmootherOneKeepsItsPixels() {
        Region image = new Region(0, 0, 20, 6);
        Stitcher stitcher = new Stitcher(LABELS, image, image);
        stitcher.add(new Region(0, 0, 12, 6), labels(
                12, "............", "..#.........", "..#######...", "..#######...", "............", "............"));
        stitcher.add(new Region(4, 0, 12, 6), labels(
                12, "............", "............", "...######...", "...######...", "............", "............"));
        List<DetectedObject> objects = stitcher.objects();
        assertEquals(List.of("######/######", "#..../#####/#####"),
                objects.stream().map(object -> MaskTest.show(object.outline())).toList());
    }

    @Test
    void anObjectThatClippingSplitsIsDropped() {
        Mask block = MaskTest.draw("....###....", "....###....", "....###....", "....###....", "....###....");
        Mask bar = MaskTest.draw(".#.........", "###########", "...........");
        assertEquals(List.of(object(block, "a")), OverlapFixer.fix(List.of(object(bar, "b"), object(block, "a"))));
        // Cut at its end it stays in one piece, and stays.
        Mask atTheEnd = MaskTest.draw("........###", "........###", "........###", "........###");
        assertEquals(2, OverlapFixer.fix(List.of(object(bar, "b"), object(atTheEnd, "a"))).size());
    }

    @Test
    void whatIsLeftOfAnObjectTakesTheWinnersClassAndHasNoMeasurements() {
        Mask block = MaskTest.draw("###", "###", "###");
        Mask dented = MaskTest.draw("..####", "..####", "..##..");
        List<DetectedObject> objects = OverlapFixer.fix(List.of(object(dented, "loser"), object(block, "winner")));
        assertEquals(object(block, "winner"), objects.get(0));
        Mask rest = MaskTest.draw("...###", "...###", "...#..");
        assertEquals(new DetectedObject(rest, Optional.empty(), Optional.of("winner"), Map.of()), objects.get(1));
    }

    @Test
    void anObjectWithinAnotherOneStays() {
        Mask outer = MaskTest.draw("####", "####", "####");
        Mask inner = MaskTest.draw("....", ".##.", "....");
        List<DetectedObject> objects = List.of(object(outer, "a"), object(inner, "b"));
        assertEquals(objects, OverlapFixer.fix(Merger.merge(objects)));
    }

    @Test
    void measurementsOfMergedObjectsAreAveraged() {
        Mask left = MaskTest.draw("###.", "###.");
        Mask right = MaskTest.draw(".###", ".###");
        DetectedObject first = new DetectedObject(left, Optional.empty(), Optional.of("a"), Map.of("p", 1.0, "q", 2.0));
        DetectedObject second = new DetectedObject(right, Optional.empty(), Optional.of("a"), Map.of("p", 4.0));
        DetectedObject merged = only(Merger.merge(List.of(first, second)));
        assertEquals(left.union(right), merged.outline());
        assertEquals(Map.of("p", 2.5, "q", Double.NaN), merged.measurements());
        DetectedObject other = new DetectedObject(right, Optional.empty(), Optional.of("b"), Map.of());
        assertEquals(List.of(first, other), Merger.merge(List.of(first, other)), "of one class only");
    }

    @Test
    void anyObjectsEndWithoutOverlaps() {
        Random random = new Random(1);
        for (int trial = 0; trial < 300; trial++) {
            List<DetectedObject> objects = new ArrayList<>();
            for (int count = random.nextInt(6) + 2; count > 0; count--) {
                int width = random.nextInt(8) + 1;
                int height = random.nextInt(8) + 1;
                BitSet pixels = new BitSet();
                for (int place = 0; place < width * height; place++) {
                    pixels.set(place, random.nextInt(8) > 0);
                }
                Region box = new Region(random.nextInt(12), random.nextInt(12), width, height);
                Mask mask = new Mask(box, pixels).largestPart();
                if (mask.area() > 0) {
                    objects.add(object(mask, "class " + count % 3));
                }
            }
            assertWithoutOverlaps(OverlapFixer.fix(objects), objects);
        }
    }

    private static void assertWithoutOverlaps(List<DetectedObject> fixed, List<DetectedObject> objects) {
        for (DetectedObject kept : fixed) {
            Mask mask = kept.outline();
            assertEquals(1, mask.parts().size());
            assertTrue(
                    objects.stream().anyMatch(object -> object.outline().shared(mask) == mask.area()),
                    "nothing is made up");
            for (DetectedObject other : fixed) {
                int shared = mask.shared(other.outline());
                int smaller = Math.min(mask.area(), other.outline().area());
                assertTrue(other == kept || shared == 0 || shared == smaller, "apart, or one within the other");
            }
        }
    }

    @Test
    void whatTheAnnotationCutsLosesItsMeasurements() {
        Region image = new Region(0, 0, 8, 4);
        ModelFolder.Output logits = new ModelFolder.Output("detection_logits", List.of());
        int[] drawn = labels(8, "........", "..####..", "........", "........").labels();
        Prediction prediction = new Prediction(1, 4, 8, drawn, List.<double[][]>of(new double[][] {{3}}));
        Stitcher whole = new Stitcher(List.of(LABELS.get(0), logits), image, image);
        whole.add(image, prediction);
        assertEquals(Map.of("Logit: Class 0", 3.0), only(whole.objects()).measurements());
        Stitcher cut = new Stitcher(List.of(LABELS.get(0), logits), new Region(0, 0, 4, 3), image);
        cut.add(image, prediction);
        assertEquals(Map.of(), only(cut.objects()).measurements());
    }

    private static DetectedObject object(Mask mask, String pathClass) {
        return new DetectedObject(mask, Optional.empty(), Optional.of(pathClass), Map.of("measured", 1.0));
    }

    @Test
    void objectsEndWhereTheAnnotationEnds() {
        Region image = new Region(0, 0, 8, 4);
        Stitcher stitcher = new Stitcher(LABELS, new Region(0, 0, 4, 4), image);
        stitcher.add(image, labels(8, "........", "..####..", "......3.", "........"));
        assertEquals("##", MaskTest.show(only(stitcher.objects()).outline()));
    }

    @Test
    void twoLabelMapsMakeCellsWithTheirNuclei() {
        int[] labels = {1, 0, 0, 3, 1, 1, 2, 0};
        Prediction prediction = new Prediction(2, 1, 4, labels, List.of());
        List<DetectedObject> cells = new LabelsToObjects(LABELS).convert(prediction, new Region(0, 0, 4, 1));
        assertEquals(2, cells.size(), "the nucleus without a cell is dropped");
        assertEquals(Optional.of(1), cells.get(0).nucleus().map(Mask::area));
        assertEquals(Optional.empty(), cells.get(1).nucleus());
    }

    @Test
    void furtherOutputsAreReadRowByRow() {
        ModelFolder.Output labels = LABELS.get(0);
        ModelFolder.Output classes = new ModelFolder.Output("detection_classes", List.of("tumour", "stroma"));
        ModelFolder.Output logits = new ModelFolder.Output("detection_logits", List.of("tumour", "stroma"));
        Region tile = new Region(0, 0, 2, 1);
        Prediction named = new Prediction(1, 1, 2, new int[] {1, 2}, List.<double[][]>of(new double[][] {{1}, {0}}));
        assertEquals(
                List.of(Optional.of("stroma"), Optional.of("tumour")),
                new LabelsToObjects(List.of(labels, classes)).convert(named, tile).stream()
                        .map(DetectedObject::pathClass)
                        .toList());
        Prediction scored = new Prediction(
                1, 1, 2, new int[] {1, 2}, List.<double[][]>of(new double[][] {{3, -1}, {0, 2}}));
        assertEquals(
                Map.of("Logit: tumour", 3.0, "Logit: stroma", -1.0),
                new LabelsToObjects(List.of(labels, logits)).convert(scored, tile).get(0).measurements());
        ModelFolder.Output semantic = new ModelFolder.Output("semantic_segmentation", List.of());
        assertThrows(
                IllegalArgumentException.class,
                () -> new LabelsToObjects(List.of(labels, semantic)).convert(scored, tile));
    }

    /** '#' is label 1, digits are labels. */
    private static Prediction labels(int width, String... rows) {
        int[] labels = String.join("", rows)
                .chars()
                .map(sign -> sign == '#' ? 1 : sign == '.' ? 0 : sign - '0')
                .toArray();
        return new Prediction(1, rows.length, width, labels, List.of());
    }

    private static DetectedObject only(List<DetectedObject> objects) {
        assertEquals(1, objects.size());
        return objects.get(0);
    }
}
