package instanseg.export.qupath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Map;
import java.util.Optional;
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
