package instanseg.export.qupath;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.inference.Predictor;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ModelNotFoundException;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.TranslateException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Runs a model on a region of an image the way QuPath's InstanSeg extension does; the options have its names. */
public final class InstanSegClient {

    private static final int SMALLEST_TILE = 256;
    private static final int LARGEST_TILE = 4096;

    private final ModelFolder model;
    private final int tileDims;
    private final int padding;
    private final double downsample;
    private final int[] inputChannels;
    private final int[] outputChannels;
    private final Map<String, Object> arguments;

    private InstanSegClient(Builder builder) {
        this.model = builder.model;
        this.tileDims = builder.tileDims;
        this.padding = builder.padding;
        this.downsample = builder.downsample;
        this.inputChannels = builder.inputChannels;
        this.outputChannels = builder.outputChannels;
        this.arguments = new LinkedHashMap<>(builder.arguments);
    }

    /** Starts with the extension's defaults: tiles of 512 pixels, 80 of them padding on each side. */
    public static Builder builder(ModelFolder model) {
        return new Builder(model);
    }

    /**
     * What a run gives.
     *
     * @param objects in pixels of the image at the model's pixel size
     * @param tiles number of tiles
     * @param failures one message for each tile on which the model failed
     */
    public record Results(List<DetectedObject> objects, int tiles, List<String> failures) {}

    /** Segments a whole image. */
    public Results detectObjects(Image image) throws InvalidModelException, IOException {
        return detectObjects(image, image.region());
    }

    /**
     * Segments a region of an image.
     *
     * @param original the image
     * @param annotation what was selected, in pixels of {@code original}
     * @throws InvalidModelException the model cannot be loaded, or takes another number of channels
     */
    public Results detectObjects(Image original, Region annotation) throws InvalidModelException, IOException {
        return detectObjects(original, annotation, Normalization.of(original, annotation, inputChannels));
    }

    /** The same, with percentiles that were measured elsewhere. */
    Results detectObjects(Image original, Region annotation, Normalization normalization)
            throws InvalidModelException, IOException {
        double shrink = downsample > 0 ? downsample : model.downsample(original.pixelSize());
        Image image = (inputChannels.length == 0 ? original : original.select(inputChannels)).resample(shrink);
        if (model.inputChannels().isPresent() && model.inputChannels().getAsInt() != image.channels()) {
            throw new InvalidModelException("The model takes " + model.inputChannels().getAsInt()
                    + " channels, but the image has " + image.channels());
        }
        Region region = shrink(annotation, shrink).intersect(image.region());
        List<Region> tiles = Tiles.of(region, image.region(), tileDims, padding);
        Stitcher stitcher = new Stitcher(model.outputs(), region, image.region());
        List<String> failures = new ArrayList<>();
        try (ZooModel<TileTranslator.Tile, Prediction> loaded = load();
                Predictor<TileTranslator.Tile, Prediction> predictor = loaded.newPredictor()) {
            for (Region tile : tiles) {
                float[] pixels = image.read(tile);
                normalization.apply(pixels);
                try {
                    stitcher.add(tile, predictor.predict(
                            new TileTranslator.Tile(image.channels(), tile.height(), tile.width(), pixels)));
                } catch (TranslateException error) {
                    failures.add(tile + ": " + error.getMessage());
                }
            }
        }
        return new Results(stitcher.objects(), tiles.size(), failures);
    }

    private static Region shrink(Region region, double by) {
        int left = (int) Math.round(region.x() / by);
        int top = (int) Math.round(region.y() / by);
        int right = (int) Math.round(region.right() / by);
        int bottom = (int) Math.round(region.bottom() / by);
        return new Region(left, top, right - left, bottom - top);
    }

    private ZooModel<TileTranslator.Tile, Prediction> load() throws InvalidModelException, IOException {
        try {
            return Criteria.builder()
                    .setTypes(TileTranslator.Tile.class, Prediction.class)
                    .optModelUrls(model.weights().toUri().toString())
                    .optDevice(Device.cpu())
                    .optTranslator(new TileTranslator(arguments, structures()))
                    .build()
                    .loadModel();
        } catch (ModelNotFoundException | MalformedModelException error) {
            throw new InvalidModelException(model.weights() + " cannot be loaded: " + error.getMessage(), error);
        }
    }

    private Optional<int[]> structures() throws InvalidModelException {
        if (outputChannels.length == 0) {
            return Optional.empty();
        }
        int[] flags = new int[model.outputChannels()];
        for (int channel : outputChannels) {
            if (channel < 0 || channel >= flags.length) {
                throw new IllegalArgumentException("The model has no output channel " + channel);
            }
            flags[channel] = 1;
        }
        return Optional.of(flags);
    }

    /** The options of a run. */
    public static final class Builder {

        private final ModelFolder model;
        private final Map<String, Object> arguments = new LinkedHashMap<>();
        private int tileDims = 512;
        private int padding = 80;
        private double downsample = -1;
        private int[] inputChannels = {};
        private int[] outputChannels = {};

        private Builder(ModelFolder model) {
            this.model = model;
        }

        /** Sets width and height of a tile with its padding, in pixels; brought into 256 to 4096. */
        public Builder tileDims(int pixels) {
            tileDims = Math.max(SMALLEST_TILE, Math.min(LARGEST_TILE, pixels));
            return this;
        }

        /** Sets how far a tile reaches into its neighbours on each side, in pixels. */
        public Builder interTilePadding(int pixels) {
            padding = Math.max(0, pixels);
            return this;
        }

        /** Sets by how much the image is shrunk, instead of asking the pixel sizes. */
        public Builder downsample(double factor) {
            downsample = factor;
            return this;
        }

        /** Chooses channels of the image, from 0; all of them by default. */
        public Builder inputChannels(int... channels) {
            inputChannels = channels.clone();
            return this;
        }

        /** Chooses outputs, from 0: 0 for nuclei and 1 for cells of a model that has both; all of them by default. */
        public Builder outputChannels(int... channels) {
            outputChannels = channels.clone();
            return this;
        }

        /** Adds a setting that is sent with each tile. */
        public Builder arg(String name, Object value) {
            arguments.put(name, value);
            return this;
        }

        /** Returns a client with these options. */
        public InstanSegClient build() {
            return new InstanSegClient(this);
        }
    }
}
