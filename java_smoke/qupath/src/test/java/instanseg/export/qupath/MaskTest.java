package instanseg.export.qupath;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.BitSet;
import org.junit.jupiter.api.Test;

class MaskTest {

    @Test
    void partsThatTouchAtACornerAreApart() {
        Mask mask = draw("##...", "##...", "..###", "..###");
        assertEquals("###/###", show(mask.largestPart()));
        assertEquals(new Region(2, 2, 3, 2), mask.largestPart().bounds());
    }

    @Test
    void holesAreFilledAlsoWhenTheyLeakAtACorner() {
        assertEquals("###/###/###", show(draw("###", "#.#", "###").largestPart()));
        assertEquals("###/###/##.", show(draw("###", "#.#", "##.").largestPart()));
        assertEquals("###/#../###", show(draw("###", "#..", "###").largestPart()), "a bay is no hole");
    }

    @Test
    void aRingIsLargerThanWhatLiesInIt() {
        Mask ring = draw("#####", "#...#", "#.#.#", "#...#", "#####");
        assertEquals(25, ring.largestPart().area());
    }

    @Test
    void setsOfPixels() {
        Mask left = draw("##.", "##.");
        Mask right = draw(".##", ".##");
        assertEquals(2, left.shared(right));
        assertEquals("###/###", show(left.union(right)));
        assertEquals("#/#", show(left.minus(right)));
        assertEquals(0, left.minus(left).area());
        assertEquals("##", show(left.crop(new Region(0, 1, 9, 9))));
    }

    @Test
    void solidityIsTheShareOfTheConvexHull() {
        assertEquals(1, Solidity.of(draw("###", "###")));
        assertEquals(1, Solidity.of(draw("#")));
        // The hull of three squares in an L cuts off half a square.
        assertEquals(3 / 3.5, Solidity.of(draw("#.", "##")), 1e-12);
        assertEquals(3 / 3.5, Solidity.of(draw("##", ".#")), 1e-12);
        assertEquals(5 / 6.0, Solidity.of(draw("#.#", "###")), 1e-12);
        assertEquals(5 / 7.0, Solidity.of(draw(".#.", "###", ".#.")), 1e-12);
    }

    static Mask draw(String... rows) {
        BitSet pixels = new BitSet();
        for (int y = 0; y < rows.length; y++) {
            for (int x = 0; x < rows[y].length(); x++) {
                pixels.set(y * rows[0].length() + x, rows[y].charAt(x) == '#');
            }
        }
        return new Mask(new Region(0, 0, rows[0].length(), rows.length), pixels).trim();
    }

    static String show(Mask mask) {
        StringBuilder text = new StringBuilder();
        Region box = mask.bounds();
        for (int y = box.y(); y < box.bottom(); y++) {
            text.append(y > box.y() ? "/" : "");
            for (int x = box.x(); x < box.right(); x++) {
                text.append(mask.contains(x, y) ? '#' : '.');
            }
        }
        return text.toString();
    }
}
