package instanseg.export.qupath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class TilesTest {

    @Test
    void areCentredOnTheRegionAndEndWithTheImage() {
        Region image = new Region(0, 0, 1484, 1380);
        List<Region> tiles = Tiles.of(image, image, 512, 80);
        // Five columns of 352 pixels reach 138 beyond either side, four rows 14; each is padded by 80.
        assertEquals(20, tiles.size());
        assertEquals(new Region(0, 0, 294, 418), tiles.get(0));
        assertEquals(new Region(134, 258, 512, 512), tiles.get(5));
        assertEquals(new Region(1190, 962, 294, 418), tiles.get(19));
    }

    @Test
    void coverTheRegionAndNothingButTheImage() {
        Region image = new Region(0, 0, 700, 500);
        Region region = new Region(101, 37, 400, 353);
        boolean[] covered = new boolean[700 * 500];
        for (Region tile : Tiles.of(region, image, 256, 40)) {
            assertEquals(tile, tile.intersect(image));
            for (int y = tile.y(); y < tile.bottom(); y++) {
                for (int x = tile.x(); x < tile.right(); x++) {
                    covered[y * 700 + x] = true;
                }
            }
        }
        for (int y = region.y(); y < region.bottom(); y++) {
            for (int x = region.x(); x < region.right(); x++) {
                assertTrue(covered[y * 700 + x], x + ", " + y);
            }
        }
    }

    @Test
    void needRoomBesideTheirPadding() {
        Region image = new Region(0, 0, 512, 512);
        assertThrows(IllegalArgumentException.class, () -> Tiles.of(image, image, 512, 256));
    }
}
