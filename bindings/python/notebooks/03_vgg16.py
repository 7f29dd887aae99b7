# VGG16: where its 138 million parameters sit, what it costs, how far it sees, why 3 x 3; and a narrow one, trained.
# %% [labels]
# en = lt
# parameters = parametrai
# multiply-adds = daugybos ir sudėties veiksmai
# G multiply-adds = mlrd. daugybos ir sudėties veiksmų
# M multiply-adds = mln. daugybos ir sudėties veiksmų,
# activations, MB = aktyvacijos, MB
# millions = milijonai
# linear layers = tiesiniai sluoksniai
# convolutions = sąsūkos
# layer = sluoksnis
# output = išvestis
# field = laukas
# in the linear layers, = tiesiniuose sluoksniuose,
# in fc6 alone = vien pirmajame iš jų
# of the multiply-adds in the convolutions = daugybos ir sudėties veiksmų sąsūkose
# receptive field, pixels = matymo laukas, taškais
# the whole picture = visas vaizdas
# two layers of 3 x 3 = du 3 x 3 sluoksniai
# one layer of 5 x 5 = vienas 5 x 5 sluoksnis
# three layers of 3 x 3 = trys 3 x 3 sluoksniai
# one layer of 7 x 7 = vienas 7 x 7 sluoksnis
# sees = mato
# C² weights = C² svorių
# stacks of 3 x 3 = 3 x 3 sekos
# single 7 x 7 = pavieniai 7 x 7
# kernels of the first layer = pirmojo sluoksnio branduoliai
# accuracy = tikslumas
# epoch = epocha
# MB of weights, = MB svorių,
# MB of activations, = MB aktyvacijų,
# MB to train it with Adam = MB mokant su Adam
# Adam keeps two numbers beside each weight and its gradient. = Prie kiekvieno svorio ir jo gradiento Adam saugo dar du skaičius.
# Fashion-MNIST where it is found, else handwritten digits; see sasuka.samples. = Fashion-MNIST, jei yra, kitaip ranka rašyti skaitmenys; žr. sasuka.samples.
# stages: (channels, convolutions) of each; a pooling behind each stage, and a small classifier. = stages: kiekvienos pakopos (kanalai, sąsūkos); po kiekvienos pakopos – sutelkimas, gale – mažas klasifikatorius.
# %% [markdown] en
# # VGG16: one idea, sixteen layers
#
# In 2014 Simonyan and Zisserman asked a plain question: what happens if a network is made of nothing but $3 \times 3$ convolutions
# and made deeper and deeper? Their networks came second in that year's ImageNet contest, and VGG16's features are used to this day —
# although it is one of the most wasteful networks ever published.
#
# We take it apart without training it: where its 138 million parameters sit, what it costs, how far it sees. Then we train a
# narrow relative on real pictures.
# %% [markdown] lt
# # VGG16: viena mintis, šešiolika sluoksnių
#
# 2014 m. Simonyan ir Zisserman uždavė paprastą klausimą: kas bus, jei tinklą sudarysime vien iš $3 \times 3$ sąsūkų ir darysime vis
# gilesnį? Jų tinklai tų metų „ImageNet“ varžybose užėmė antrą vietą, ir VGG16 požymiai naudojami iki šiol – nors tai vienas iš
# neūkiškiausių kada nors paskelbtų tinklų.
#
# Išardykime jį nemokydami: kur slypi 138 milijonai parametrų, kiek jis kainuoja, kaip toli mato. Paskui iš tikrų vaizdų išmokykime
# siaurą jo giminaitį.
# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

import sasuka
from sasuka import nn, plots, samples

plots.set_language("en")

vgg = sasuka.create_model("vgg16")
layers = vgg.layers()
print(f"{sum(layer.parameters for layer in layers):,}")
row = "{:14} {:>14} {:>13} {:>29} {:>7}"
print(row.format("layer", "output", "parameters", "multiply-adds", "field"))
for layer in layers:
    if layer.parameters or layer.kind == "max_pool":
        shape = " x ".join(map(str, layer.output_shape[1:]))
        seen = layer.receptive_field[0].size if layer.receptive_field else ""
        print(row.format(layer.name, shape, f"{layer.parameters:,}", f"{layer.multiply_adds:,}", seen))
# %% [markdown] en
# Read the table from top to bottom: five times "some convolutions of $3 \times 3$ with padding 1, then a pooling that halves the map
# while the channels double". The size never has to be thought about. At the end a map of $512 \times 7 \times 7 = 25\,088$ numbers is
# flattened, and three fully connected layers follow.
#
# A convolution from $C_\text{in}$ to $C_\text{out}$ channels with a kernel of $k \times k$ and a map of $H \times W$ has
#
# $$k^2 C_\text{in} C_\text{out} + C_\text{out} \text{ parameters and } H W k^2 C_\text{in} C_\text{out} \text{ multiply-adds:}$$
#
# each weight is used $H W$ times. A weight of a fully connected layer is used once. That is why parameters and work sit at
# opposite ends of the network.
# %% [markdown] lt
# Skaitykime lentelę iš viršaus žemyn: penkis kartus „kelios $3 \times 3$ sąsūkos su užpildymu 1, paskui sutelkimas, perpus sumažinantis
# žemėlapį, kanalams padvigubėjant“. Apie dydį galvoti niekada nereikia. Gale $512 \times 7 \times 7 = 25\,088$ skaičių žemėlapis
# ištiesinamas, ir eina trys visiškai sujungti sluoksniai.
#
# Sąsūka iš $C_\text{in}$ į $C_\text{out}$ kanalų su $k \times k$ branduoliu ir $H \times W$ žemėlapiu turi
#
# $$k^2 C_\text{in} C_\text{out} + C_\text{out} \text{ parametrų ir } H W k^2 C_\text{in} C_\text{out} \text{ daugybos ir sudėties veiksmų:}$$
#
# kiekvienas svoris panaudojamas $H W$ kartų. Visiškai sujungto sluoksnio svoris panaudojamas vieną kartą. Todėl parametrai ir darbas
# susitelkę priešinguose tinklo galuose.
# %%
weighted = [layer for layer in layers if layer.parameters]
linear = [layer for layer in weighted if layer.kind == "linear"]
place = np.arange(len(weighted))
colours = ["C1" if layer.kind == "linear" else "C0" for layer in weighted]
figure, axes = plt.subplots(3, 1, figsize=(11, 7), layout="constrained", sharex=True)
quantities = (
    ("parameters", [layer.parameters / 1e6 for layer in weighted]),
    ("multiply-adds", [layer.multiply_adds / 1e6 for layer in weighted]),
    ("activations, MB", [layer.activation_bytes / 1e6 for layer in weighted]),
)
for ax, (title, values) in zip(axes, quantities):
    bars = ax.bar(place, values, color=colours)
    ax.bar_label(bars, [f"{value:,.0f}" if value >= 100 else f"{value:.2g}" for value in values], fontsize=8)
    ax.set_title(title)
    ax.margins(y=0.15)
    ax.spines[["top", "right"]].set_visible(False)
for ax in axes[:2]:
    ax.set_ylabel("millions")
axes[0].legend([axes[0].patches[0], axes[0].patches[-1]], ["convolutions", "linear layers"], frameon=False)
axes[2].set_xticks(place, [layer.name for layer in weighted], rotation=60, ha="right", fontsize=8)

total = sum(layer.parameters for layer in layers)
work = sum(layer.multiply_adds for layer in layers)
share = sum(layer.parameters for layer in linear) / total
print(f"{share:.1%} in the linear layers, {linear[0].parameters / total:.1%} in fc6 alone")
print(f"{sum(layer.multiply_adds for layer in layers if layer.kind == 'convolution') / work:.1%} of the multiply-adds in the convolutions")
# %% [markdown] en
# Nine tenths of the weights lie in three layers that do less than a hundredth of the work, and most of them in the first one, fc6
# ($25\,088 \times 4096$): it looks at each place of the last map with weights of its own. Notebook 5 replaces it by an average.
#
# The activations are the mirror image: the first two layers' maps are nearly as large as all the later ones together. In training all of them
# are kept for the way back.
# %% [markdown] lt
# Devyni dešimtadaliai svorių yra trijuose sluoksniuose, atliekančiuose mažiau nei šimtąją darbo dalį, ir dauguma jų pirmajame, vadinamame
# fc6 ($25\,088 \times 4096$): į kiekvieną paskutinio žemėlapio vietą jis žiūri su atskirais svoriais. 5 sąsiuvinyje jį pakeisime
# vidurkiu.
#
# Aktyvacijos yra veidrodinis atspindys: pirmųjų dviejų sluoksnių žemėlapiai beveik tokie dideli, kaip visi vėlesni kartu. Mokant jie visi
# saugomi grįžimui.
# %%
pictures = 32
weights = 4 * total / 1e6
activations = pictures * sum(layer.activation_bytes for layer in layers) / 1e6
# Adam keeps two numbers beside each weight and its gradient.
print(f"{weights:,.0f} MB of weights, {activations:,.0f} MB of activations, {4 * weights + activations:,.0f} MB to train it with Adam")
print(f"{work / 1e9:.1f} G multiply-adds")
# %% [markdown] en
# (Activations of 32 pictures, each layer's result kept apart; a library that computes ReLU in place, as this one does, needs less.)
#
# ## How far it sees
#
# The **receptive field** of a value is the part of the picture that it can depend on. A layer with kernel $k$ widens it by
# $(k - 1) \cdot j$, where $j$ is the product of all strides before:
#
# $$r_l = r_{l-1} + (k_l - 1)\, j_{l-1}, \qquad j_l = j_{l-1} s_l .$$
#
# It grows slowly at first, and four times faster after two poolings.
# %% [markdown] lt
# (32 vaizdų aktyvacijos, kiekvieno sluoksnio rezultatą saugant atskirai; bibliotekai, kuri, kaip ši, ReLU skaičiuoja vietoje, reikia
# mažiau.)
#
# ## Kaip toli jis mato
#
# Reikšmės **matymo laukas** (angl. *receptive field*) yra vaizdo dalis, nuo kurios ji gali priklausyti. Sluoksnis, kurio branduolys
# $k$, lauką praplečia per $(k - 1) \cdot j$, kur $j$ – visų ankstesnių žingsnių sandauga:
#
# $$r_l = r_{l-1} + (k_l - 1)\, j_{l-1}, \qquad j_l = j_{l-1} s_l .$$
#
# Iš pradžių jis auga lėtai, o po dviejų sutelkimų – keturis kartus greičiau.
# %%
photo = load_sample_image("china.jpg")[100:324, 60:284]
windows = [layer for layer in layers if layer.kind in ("convolution", "max_pool")]
figure, axes = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
fields = [layer.receptive_field[0].size for layer in windows]
axes[0].step(range(1, len(fields) + 1), fields, where="mid", color="C0")
pools = [number for number, layer in enumerate(windows) if layer.kind == "max_pool"]
axes[0].plot([number + 1 for number in pools], [fields[number] for number in pools], "o", color="C1", label="max_pool")
axes[0].axhline(224, color="grey", linestyle=":", label="the whole picture")
axes[0].set_xticks(range(2, len(fields) + 1, 2))
axes[0].set_xlabel("layer")
axes[0].set_ylabel("receptive field, pixels")
axes[0].legend(frameon=False)

axes[1].imshow(photo)
axes[1].set_axis_off()
for colour, number in zip(("#FFE000", "#FF8C00", "#FF3030", "#D000D0"), pools):
    layer = windows[number]
    middle = layer.output_shape[2] // 2
    field = layer.receptive_field[0]
    start = field.start + middle * field.step
    square = plt.Rectangle((start, start), field.size, field.size, fill=False, edgecolor=colour, linewidth=2)
    square.set_label(f"{field.size} x {field.size}")
    axes[1].add_patch(square)
axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
# %% [markdown] en
# What one value of the maps behind the first four poolings sees of the photograph: 6 and 16 pixels are a piece of a window's frame,
# 44 a window, 100 a storey of the pagoda. Behind the last pooling, 212 pixels are nearly the whole picture. (What lies in the middle of
# a field counts most: more ways lead through the network from there; Luo et al., 2016.)
#
# ## Why $3 \times 3$?
#
# Two layers of $3 \times 3$ see as far as one of $5 \times 5$, three as far as one of $7 \times 7$. With $C$ channels throughout:
# %% [markdown] lt
# Ką nuotraukoje mato viena žemėlapių už pirmųjų keturių sutelkimų reikšmė: 6 ir 16 taškų – lango rėmo gabalėlis, 44 – langas, 100 –
# pagodos aukštas. Už paskutinio sutelkimo 212 taškų – beveik visas vaizdas. (Svarbiausias lauko vidurys: iš ten per tinklą veda
# daugiausia kelių; Luo ir kt., 2016.)
#
# ## Kodėl $3 \times 3$?
#
# Du $3 \times 3$ sluoksniai mato tiek pat, kiek vienas $5 \times 5$, trys – tiek, kiek vienas $7 \times 7$. Kai visur $C$ kanalų:
# %%
for kernel, depth, title in (
    (3, 2, "two layers of 3 x 3"),
    (5, 1, "one layer of 5 x 5"),
    (3, 3, "three layers of 3 x 3"),
    (7, 1, "one layer of 7 x 7"),
):
    stack = nn.Sequential(*[nn.Conv2d(64, 64, kernel, padding="same", bias=False) for _ in range(depth)]).model((64, 28, 28))
    count = sum(layer.parameters for layer in stack.layers())
    seen = sasuka.receptive_field([(kernel,)] * depth).size
    print(f"{title:24} sees {seen} x {seen}, {count // 64**2} C² weights")
# %% [markdown] en
# $18\,C^2$ against $25\,C^2$, $27\,C^2$ against $49\,C^2$: the stack is cheaper, and has a ReLU between its layers, so that it can
# say more per weight. Is it also *better*? Two networks that see equally far are trained alike, one with stacks of three layers of
# $3 \times 3$, one with single layers of $7 \times 7$. BatchNorm stands behind each convolution (torchvision's `vgg16_bn`): without
# it, in 2014, deep VGGs had to be started from shallower ones already trained.
# %% [markdown] lt
# $18\,C^2$ prieš $25\,C^2$, $27\,C^2$ prieš $49\,C^2$: seka pigesnė, o tarp jos sluoksnių yra ReLU, tad kiekvienu svoriu ji gali
# pasakyti daugiau. Ar ji ir *geresnė*? Vienodai mokykime du vienodai toli matančius tinklus: vieną su trijų $3 \times 3$ sluoksnių
# sekomis, kitą su pavieniais $7 \times 7$ sluoksniais. Už kiekvienos sąsūkos stovi BatchNorm (torchvision `vgg16_bn`): be jo 2014 m.
# gilius VGG tekdavo pradėti nuo jau išmokytų seklesnių.
# %%
# Fashion-MNIST where it is found, else handwritten digits; see sasuka.samples.
training = samples.pictures(count=2000, language="en")
validation = samples.pictures(train=False, count=1000, language="en")


def narrow_vgg(stages, kernel=3):
    """stages: (channels, convolutions) of each; a pooling behind each stage, and a small classifier."""
    parts = []
    for channels, depth in stages:
        for _ in range(depth):
            parts += [nn.LazyConv2d(channels, kernel, padding="same", bias=False), nn.LazyBatchNorm2d(), nn.ReLU()]
        parts.append(nn.MaxPool2d(2))
    return nn.Sequential(*parts, nn.Flatten(), nn.LazyLinear(64), nn.ReLU(), nn.Dropout(0.3), nn.LazyLinear(10)).model((1, 28, 28))


learners = {}
for title, model in (
    ("stacks of 3 x 3", narrow_vgg([(12, 3), (24, 3)])),
    ("single 7 x 7", narrow_vgg([(12, 1), (24, 1)], kernel=7)),
):
    learner = sasuka.Learner(model, training, valid=validation, batch_size=50, progress=False)
    learner.fit_one_cycle(6, 0.01)
    learners[title] = learner
    convolutions = [layer for layer in model.layers() if layer.kind == "convolution"]
    count, cost = sum(layer.parameters for layer in convolutions), sum(layer.multiply_adds for layer in convolutions)
    print(f"{title:18} {count:,} {cost / 1e6:.1f} M multiply-adds {learner.evaluate().accuracy:.3f}")

figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for title, learner in learners.items():
    ax.plot(np.arange(1, 7), learner.history.column("valid_accuracy"), "o-", label=title)
ax.set_xlabel("epoch")
ax.set_ylabel("accuracy")
ax.legend(frameon=False);
# %% [markdown] en
# Here the stack widens from 1 to 12 channels in its first layer already, so that both networks have about as many weights and the
# stack even does more work. They learn and end side by side — a few pictures of a thousand are chance — so at this width neither is
# better. With many channels and equal accuracy the stack has the lower price, $27\,C^2$ against $49\,C^2$, and that is the argument
# that made $3 \times 3$ the standard.
#
# What does the narrow VGG take for what, and what has its first layer learnt?
# %% [markdown] lt
# Čia jau pirmasis sekos sluoksnis 1 kanalą paverčia 12, todėl svorių abu tinklai turi apylygiai, o veiksmų seka atlieka net daugiau.
# Jie mokosi ir baigia greta – keli vaizdai iš tūkstančio yra atsitiktinumas, – tad esant tokiam pločiui nė vienas ne geresnis. Kai
# kanalų daug, o tikslumas toks pat, seka pigesnė, $27\,C^2$ prieš $49\,C^2$, ir būtent todėl $3 \times 3$ tapo įprastu dydžiu.
#
# Ką su kuo painioja siaurasis VGG ir ko išmoko jo pirmasis sluoksnis?
# %%
learner = learners["stacks of 3 x 3"]
figure, axes = plt.subplots(1, 2, figsize=(13, 5.6), layout="constrained")
plots.confusion_matrix(validation.targets(), learner.predict(), axes[0], classes=validation.classes)
plots.filters(learner.model, ax=axes[1])
axes[1].set_title("kernels of the first layer")

plots.top_losses(learner, 8);
# %% [markdown] en
# The titles of the pictures are *predicted / true* and the loss. With Fashion-MNIST most mistakes stay within one family — shirts, pullovers and coats —
# where people disagree as well.
#
# ## What to take along
#
# - Convolutions have few weights and do the work; fully connected layers have the weights and do little.
# - Maps near the input need the memory.
# - A receptive field grows with kernels, and with the strides before them.
# - Stacks of $3 \times 3$ see as far as large kernels, with fewer weights and more ReLUs.
#
# ## Questions and exercises
#
# 1. How many parameters has VGG16 for 10 classes (`num_classes=10`)? And with global average pooling (`vgg.pool_globally()`)?
# 2. Give `vgg.layers((1, 3, 448, 448))`: what grows four times, what stays? Why does `classifier.0` not mind the larger map?
# 3. Print the same table for `vgg11` and `vgg19`. Where are the additional layers put, and why there?
# 4. Replace each $3 \times 3$ by $3 \times 1$ and $1 \times 3$. How many weights are left? Does the narrow VGG get worse?
# 5. Train `narrow_vgg` without BatchNorm and with eight layers. From which depth on does it learn nothing? Notebook 4 shows the cure.
# %% [markdown] lt
# Vaizdų antraštėse – *nuspėta / tikroji* klasė ir nuostolis. Dauguma Fashion-MNIST klaidų lieka vienoje šeimoje – marškiniai, megztiniai ir paltai, –
# dėl kurios nesutaria ir žmonės.
#
# ## Ką įsiminti
#
# - Sąsūkos turi mažai svorių, bet dirba darbą; visiškai sujungti sluoksniai turi svorius, bet dirba mažai.
# - Atminties reikia žemėlapiams prie įvesties.
# - Matymo laukas auga nuo branduolių ir nuo žingsnių prieš juos.
# - $3 \times 3$ sekos mato taip toli, kaip dideli branduoliai, bet turi mažiau svorių ir daugiau ReLU.
#
# ## Klausimai ir užduotys
#
# 1. Kiek parametrų turi VGG16, kai klasių 10 (`num_classes=10`)? O su visuotiniu vidurkio sutelkimu (`vgg.pool_globally()`)?
# 2. Pateikite `vgg.layers((1, 3, 448, 448))`: kas išauga keturis kartus, o kas lieka? Kodėl didesnis žemėlapis netrukdo
#    sluoksniui `classifier.0`?
# 3. Išspausdinkite tokią pat lentelę tinklams `vgg11` ir `vgg19`. Kur įdėti papildomi sluoksniai ir kodėl ten?
# 4. Kiekvieną $3 \times 3$ pakeiskite $3 \times 1$ ir $1 \times 3$. Kiek svorių lieka? Ar siaurasis VGG blogėja?
# 5. Mokykite `narrow_vgg` be BatchNorm ir su aštuoniais sluoksniais. Nuo kokio gylio jis nebeišmoksta nieko? Vaistą parodys 4
#    sąsiuvinis.
