# Maximum pooling against strided convolutions, global average pooling, and the network that consists of convolutions only.
# %% [labels]
# en = lt
# photograph = nuotrauka
# every second pixel = kas antras taškas
# maximum = didžiausia reikšmė
# average = vidurkis
# pixels moved = pastumta taškų
# relative change of the result = santykinis rezultato pokytis
# largest difference from average pooling = didžiausias skirtumas nuo vidurkio sutelkimo
# maximum pooling = didžiausios reikšmės sutelkimas
# convolution for it = vietoj jo sąsūka
# depthwise convolution for it = vietoj jo kanalinė sąsūka
# stride in the convolution before = žingsnis ankstesnėje sąsūkoje
# maximum, global average = didžiausia reikšmė, visuotinis vidurkis
# all convolutional = vien sąsūkos
# parameters, = parametrų,
# M multiply-adds = mln. daugybos ir sudėties veiksmų
# accuracy = tikslumas
# parameters = parametrai
# begins as the average = pradžia: vidurkis
# after training = po mokymo
# the class's map and Grad-CAM differ by = klasės žemėlapis ir Grad-CAM skiriasi
# [1, 1, height, width]: a part of a photograph in grey, 0 to 1. = [1, 1, aukštis, plotis]: pilkos nuotraukos dalis, nuo 0 iki 1.
# Fashion-MNIST where it is found, else handwritten digits: [count, 1, 28, 28]. See sasuka.samples. = Fashion-MNIST, jei yra, kitaip ranka rašyti skaitmenys: [kiekis, 1, 28, 28]. Žr. sasuka.samples.
# As VGG: four convolutions, two poolings, and a classifier of two linear layers. = Kaip VGG: keturios sąsūkos, du sutelkimai ir dviejų tiesinių sluoksnių klasifikatorius.
# The channel itself stands on the diagonal: [out, in] blocks of 2 x 2 for the first ten channels. = Pats kanalas yra įstrižainėje: pirmųjų dešimties kanalų [išvestis, įvestis] langeliai po 2 x 2.
# One picture of each of four classes that the network knows: [1, 1, 56, 56]. = Po vieną keturių tinklui pažįstamų klasių vaizdą: [1, 1, 56, 56].
# %% [markdown] en
# # Pooling, and how to do without it
#
# Maps must shrink on their way through a network: for the work, for the memory, and so that later layers see far. The classical way is
# **maximum pooling**. A convolution with stride 2 shrinks maps too. And at the end of the network stands either a classifier that looks at
# each place with weights of its own, or an average over all places. In *Striving for Simplicity: The All Convolutional Net* (Springenberg,
# Dosovitskiy, Brox and Riedmiller, 2014) everything but the convolutions was thrown out. What is lost by that?
# %% [markdown] lt
# # Sutelkimas ir kaip be jo apsieiti
#
# Eidami per tinklą žemėlapiai turi mažėti: dėl darbo, dėl atminties ir tam, kad vėlesni sluoksniai matytų toli. Įprastas būdas –
# **didžiausios reikšmės sutelkimas** (angl. *max pooling*). Žemėlapį sumažina ir sąsūka, kurios žingsnis 2. O tinklo gale stovi arba
# klasifikatorius, į kiekvieną vietą žiūrintis su atskirais svoriais, arba visų vietų vidurkis. Darbe *Striving for Simplicity: The All
# Convolutional Net* (Springenberg, Dosovitskiy, Brox ir Riedmiller, 2014) išmesta viskas, išskyrus sąsūkas. Kas taip prarandama?
# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

import sasuka
from sasuka import nn, plots, samples

plots.set_language("en")

# [1, 1, height, width]: a part of a photograph in grey, 0 to 1.
photo = load_sample_image("china.jpg").mean(axis=2)[40:264, 60:412].astype(np.float32)[None, None] / 255


def shrinking(layer, x):
    return nn.Sequential(layer).model(x.shape[1:])(x)


def every_second(x):
    return x[:, :, ::2, ::2]


ways = {
    "every second pixel": every_second,
    "maximum": lambda x: shrinking(nn.MaxPool2d(2), x),
    "average": lambda x: shrinking(nn.AvgPool2d(2), x),
}
figure, axes = plt.subplots(1, 4, figsize=(15, 3), layout="constrained")
axes[0].imshow(photo[0, 0], cmap="gray", vmin=0, vmax=1)
axes[0].set_title("photograph")
for ax, (title, shrink) in zip(axes[1:], ways.items()):
    small = photo
    for _ in range(3):
        small = shrink(small)
    ax.imshow(small[0, 0], cmap="gray", vmin=0, vmax=1)
    ax.set_title(title)
for ax in axes:
    ax.set_axis_off()
# %% [markdown] en
# The photograph after shrinking three times. The maximum keeps what is bright and lets it grow — on feature maps: *whether* a feature was
# there, not where. The average keeps the brightness and loses detail. Taking every second pixel, which is what a stride does to the map behind
# it, keeps edges sharp but jagged: which pixels survive depends on where the picture happened to lie.
#
# That last point can be measured. Move the photograph by one to four pixels and compare the shrunken results: a way of shrinking is steady if
# a small shift changes little. We shrink twice; the part that is looked at lies within the photograph, so that no border comes in.
# %% [markdown] lt
# Nuotrauka, tris kartus sumažinta. Didžiausia reikšmė išlaiko tai, kas šviesu, ir leidžia jam išaugti – o požymių žemėlapyje: *ar* požymis
# buvo, bet ne kur. Vidurkis išlaiko šviesumą, bet praranda smulkmenas. Imant kas antrą tašką – kaip tik tai žingsnis daro žemėlapiui, –
# briaunos lieka ryškios, bet dantytos: kurie taškai išliks, priklauso nuo to, kaip pasitaikė gulėti vaizdui.
#
# Pastarąjį dalyką galima išmatuoti. Pastumkime nuotrauką per vieną–keturis taškus ir palyginkime sumažintus rezultatus: mažinimo būdas
# pastovus, jei nedidelis poslinkis keičia nedaug. Mažinsime du kartus; žiūrima dalis yra nuotraukos viduje, tad kraštas nepatenka.
# %%
figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for title, shrink in ways.items():
    changes = []
    for shift in range(5):
        moved = np.ascontiguousarray(photo[..., shift : shift + 320])
        result = shrink(shrink(moved))
        first = result if shift == 0 else first
        changes.append(np.linalg.norm(result - first) / np.linalg.norm(first - first.mean()))
    ax.plot(range(5), changes, "o-", label=title)
ax.set_xticks(range(5))
ax.set_xlabel("pixels moved")
ax.set_ylabel("relative change of the result")
ax.legend(frameon=False);
# %% [markdown] en
# By 4 pixels each result has moved by exactly one of its own, so that the last points show what moving alone does. Below that, the average is
# the steadiest. The maximum is not as steady as its reputation has it, and every second pixel is the worst: one pixel changes the result nearly
# as much as four. The network behind it sees another picture (Zhang, 2019, *Making Convolutional Networks Shift-Invariant Again*).
#
# ## Three replacements
#
# `replace_max_pool` makes a new network with the trained weights of the old one, and something else in the place of each pooling:
#
# | replacement | what stands there | new weights for $C$ channels, kernel 2 |
# |---|---|---|
# | `"convolution"` | convolution of all channels, stride 2, ReLU | $4 C^2 + C$ |
# | `"depthwise"` | the same for each channel alone | $4 C + C$ |
# | `"stride"` | nothing; the convolution before takes over the stride | 0 |
#
# The first two begin as the average of each window, which we check.
# %% [markdown] lt
# Pastūmus per 4 taškus, kiekvienas rezultatas pasislinko lygiai per vieną savo tašką, tad paskutiniai taškai rodo vien poslinkio įtaką. Iki
# jų pastoviausias vidurkis. Didžiausia reikšmė nėra tokia pastovi, kaip apie ją kalbama, o kas antras taškas – blogiausias: vieno taško
# poslinkis rezultatą pakeičia beveik tiek, kiek keturių. Už jo stovintis tinklas mato kitą vaizdą (Zhang, 2019, *Making Convolutional Networks Shift-Invariant Again*).
#
# ## Trys pakaitalai
#
# `replace_max_pool` sudaro naują tinklą su išmoktais senojo svoriais, o kiekvieno sutelkimo vietoje – kuo kitu:
#
# | pakaitalas | kas ten stovi | naujų svorių, kai kanalų $C$, o branduolys 2 |
# |---|---|---|
# | `"convolution"` | visų kanalų sąsūka, žingsnis 2, ReLU | $4 C^2 + C$ |
# | `"depthwise"` | tas pats kiekvienam kanalui atskirai | $4 C + C$ |
# | `"stride"` | nieko; žingsnį perima ankstesnė sąsūka | 0 |
#
# Pirmieji du prasideda kaip kiekvieno lango vidurkis; patikrinkime.
# %%
# Fashion-MNIST where it is found, else handwritten digits: [count, 1, 28, 28]. See sasuka.samples.
training = samples.pictures(count=1200, language="en")
validation = samples.pictures(train=False, count=1000, language="en")


def network():
    """As VGG: four convolutions, two poolings, and a classifier of two linear layers."""
    parts, before = {}, 1
    for number, channels in enumerate((12, 12, 24, 24)):
        parts[f"conv{number}"] = nn.Conv2d(before, channels, 3, padding=1, bias=False)
        parts[f"bn{number}"] = nn.BatchNorm2d(channels)
        parts[f"relu{number}"] = nn.ReLU()
        if number % 2 == 1:
            parts[f"pool{number // 2}"] = nn.MaxPool2d(2)
        before = channels
    classifier = {"fc1": nn.LazyLinear(64), "relu4": nn.ReLU(), "drop": nn.Dropout(0.25), "fc2": nn.LazyLinear(10)}
    return nn.Sequential({**parts, "flatten": nn.Flatten(), **classifier}).model((1, 28, 28))


base = network()
picture = validation.pictures[:1] / np.float32(255)
found = base.replace_max_pool().extract_features(picture, ["relu1", "pool0.relu"])
average = shrinking(nn.AvgPool2d(2), found["relu1"])
print("largest difference from average pooling", np.abs(found["pool0.relu"] - average).max())
assert np.allclose(found["pool0.relu"], average, atol=1e-6)
# %% [markdown] en
# ## Global average pooling
#
# In this small network, as in VGG16, most weights sit in the first linear layer: $24 \cdot 7 \cdot 7 \cdot 64 = 75\,264$. **Global average
# pooling** (Lin, Chen and Yan, 2013) puts the mean of each map in place of the map:
#
# $$z_c = \frac{1}{H W} \sum_{h, w} x_{c h w}, \qquad \text{logits} = W z + b .$$
#
# There are 24 numbers left, one linear layer is enough, and the network takes pictures of any size. With strides for the poolings it is
# all convolutional, for the linear layer is a convolution of $1 \times 1$. We train six variants from the same first weights.
# %% [markdown] lt
# ## Visuotinis vidurkio sutelkimas
#
# Šiame mažame tinkle, kaip ir VGG16, daugiausia svorių yra pirmajame tiesiniame sluoksnyje: $24 \cdot 7 \cdot 7 \cdot 64 = 75\,264$.
# **Visuotinis vidurkio sutelkimas** (angl. *global average pooling*; Lin, Chen ir Yan, 2013) kiekvieną žemėlapį pakeičia jo vidurkiu:
#
# $$z_c = \frac{1}{H W} \sum_{h, w} x_{c h w}, \qquad \text{logitai} = W z + b .$$
#
# Lieka 24 skaičiai, pakanka vieno tiesinio sluoksnio, ir tinklas priima bet kokio dydžio vaizdus. Sutelkimus pakeitus žingsniais, tinkle
# lieka vien sąsūkos, nes tiesinis sluoksnis yra $1 \times 1$ sąsūka. Iš tų pačių pradinių svorių išmokykime šešias atmainas.
# %%
variants = {
    "maximum pooling": base,
    "convolution for it": base.replace_max_pool(),
    "depthwise convolution for it": base.replace_max_pool(replacement="depthwise"),
    "stride in the convolution before": base.replace_max_pool(replacement="stride"),
    "maximum, global average": base.pool_globally(),
    "all convolutional": base.replace_max_pool().pool_globally(),
}
shares, counts, kernels = [], [], {"begins as the average": variants["all convolutional"].state_dict()["pool1.weight"]}
for title, model in variants.items():
    learner = sasuka.Learner(model, training, valid=validation, batch_size=50, progress=False)
    learner.fit_one_cycle(6, 0.01)
    layers = model.layers()
    shares.append(learner.history[-1]["valid_accuracy"])
    counts.append(sum(layer.parameters for layer in layers))
    work = sum(layer.multiply_adds for layer in layers) / 1e6
    print(f"{title:38} {counts[-1]:7,} parameters, {work:.1f} M multiply-adds")

figure, axes = plt.subplots(1, 2, figsize=(13, 3.4), layout="constrained", sharey=True)
place = np.arange(len(variants))
for ax, values, title, text in zip(axes, (shares, counts), ("accuracy", "parameters"), ("{:.3f}", "{:,}")):
    bars = ax.barh(place, values, color=["C0"] * 4 + ["C1"] * 2)
    ax.bar_label(bars, [text.format(value) for value in values], padding=3)
    ax.set_title(title)
    ax.margins(x=0.15)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_yticks(place, list(variants))
axes[0].invert_yaxis()
axes[1].locator_params(axis="x", nbins=4)
# %% [markdown] en
# Four ways to shrink, and the accuracies lie within two or three points of each other, which with a thousand pictures is chance: this network does not
# need the maximum. The stride in the convolution before is by far the cheapest, for that convolution then computes a quarter of its map.
#
# With the global average nine tenths of the weights are gone. It has its price here: 24 averages must tell what 1176 values told before, and
# after six short epochs these networks lag behind. In large networks, with hundreds of channels, it costs nothing and became the rule — ResNet,
# Inception and all that came later end like this.
#
# What have the convolutions that replaced the poolings learnt?
# %% [markdown] lt
# Keturi mažinimo būdai, o tikslumai skiriasi dviem ar trimis procentiniais punktais – kai vaizdų tūkstantis, tai atsitiktinumas: didžiausios reikšmės šiam tinklui
# nereikia. Pigiausias yra žingsnis ankstesnėje sąsūkoje, nes tada ji skaičiuoja tik ketvirtadalį savo žemėlapio.
#
# Su visuotiniu vidurkiu dingsta devyni dešimtadaliai svorių. Čia tai turi kainą: 24 vidurkiai turi pasakyti tai, ką anksčiau sakė 1176
# reikšmės, ir po šešių trumpų epochų šie tinklai atsilieka. Dideliuose tinkluose, kur kanalų šimtai, tai nekainuoja nieko ir tapo taisykle:
# taip baigiasi ResNet, Inception ir visi vėlesni.
#
# Ko išmoko sutelkimus pakeitusios sąsūkos?
# %%
kernels["after training"] = variants["all convolutional"].state_dict()["pool1.weight"]
figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
for ax, (title, weights) in zip(axes, kernels.items()):
    # The channel itself stands on the diagonal: [out, in] blocks of 2 x 2 for the first ten channels.
    tiles = weights[:10, :10].transpose(0, 2, 1, 3).reshape(20, 20)
    shown = ax.imshow(tiles, cmap="RdBu_r", vmin=-0.3, vmax=0.3)
    ax.set_title(title)
    ax.set_xticks([])
    ax.set_yticks([])
figure.colorbar(shown, ax=axes);
# %% [markdown] en
# Each block of $2 \times 2$ is a kernel from one channel (column) to another (row). At first there is the average of the channel itself on the
# diagonal and nothing else. Training has added edges and mixtures of channels: this layer does more than shrink.
#
# ## Where does it see that?
#
# With an average and one linear layer the logit of class $k$ is an average over places — so each place has its share in it, and the shares can
# be drawn (class activation maps; Zhou et al., 2016):
#
# $$\text{logit}_k - b_k = \frac{1}{H W}\sum_{h, w} \underbrace{\sum_c W_{k c}\, x_{c h w}}_{M_k(h, w)} .$$
#
# Grad-CAM gives the same map (its positive part) by differentiation, without knowing that there is an average at the end. And since any size
# will do, we lay four pictures of clothes side by side and ask for the classes of two of them.
# %% [markdown] lt
# Kiekvienas $2 \times 2$ langelis yra branduolys iš vieno kanalo (stulpelis) į kitą (eilutė). Pradžioje įstrižainėje tėra paties kanalo
# vidurkis. Mokymas pridėjo briaunų ir kanalų mišinių: šis sluoksnis ne tik mažina.
#
# ## Kur jis tai mato?
#
# Kai gale vidurkis ir vienas tiesinis sluoksnis, klasės $k$ logitas yra vietų vidurkis – vadinasi, kiekviena vieta turi savo dalį, ir tas
# dalis galima nubraižyti (klasės aktyvacijos žemėlapiai; Zhou ir kt., 2016):
#
# $$\text{logitas}_k - b_k = \frac{1}{H W}\sum_{h, w} \underbrace{\sum_c W_{k c}\, x_{c h w}}_{M_k(h, w)} .$$
#
# Grad-CAM tą patį žemėlapį (jo teigiamą dalį) gauna diferencijuodamas, nė nežinodamas, kad gale yra vidurkis. O kadangi tinka bet koks
# dydis, padėkime greta keturis drabužių vaizdus ir pasiteiraukime dviejų iš jų klasių.
# %%
model = variants["all convolutional"]
labels = validation.targets()
predicted = model(validation.pictures / np.float32(255)).argmax(axis=1)
# One picture of each of four classes that the network knows: [1, 1, 56, 56].
chosen = [int(np.flatnonzero((labels == number) & (predicted == number))[0]) for number in (1, 7, 8, 3)]
four = validation.pictures[chosen] / np.float32(255)
collage = np.concatenate([np.concatenate(four[:2], axis=2), np.concatenate(four[2:], axis=2)], axis=1)[None]

figure, axes = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
axes[0].imshow(collage[0, 0], cmap="gray")
axes[0].set_axis_off()
maps = model.extract_features(collage, ["pool1.relu"])["pool1.relu"][0]
for ax, number in zip(axes[1:], (7, 8)):
    class_map = np.tensordot(model.state_dict()["fc2.weight"][number], maps, axes=1)
    heat = sasuka.grad_cam(model, collage, number, "pool1.relu")[0]
    difference = np.abs(heat - np.maximum(class_map, 0) / class_map.size).max() / heat.max()
    print(f"the class's map and Grad-CAM differ by {difference:.0e}")
    assert difference < 1e-3
    plots.grad_cam(collage[0], heat, ax)
    ax.set_title(validation.classes[number])
# %% [markdown] en
# The heat is the share of each place in the logit of the class named above. Judge for yourself how well it hits; where it lights up beside the
# object, the network has learnt something that merely goes along with it. Such maps are the cheapest way to see whether one may trust a network.
#
# ## What to take along
#
# - The maximum says whether a feature is there; a stride throws three of four values away unseen; the average is the steadiest.
# - A convolution of stride 2 can learn what pooling does, and more; a stride in the convolution before costs the least.
# - Global average pooling removes most weights, takes any size, and shows where a class is seen.
#
# ## Questions and exercises
#
# 1. Train the two networks with global average pooling for 20 epochs, and with twice the channels. Do they catch up?
# 2. Let the replaced poolings begin at random: `model.initialize("pool*.weight", "kaiming_normal", 2**0.5)`. Is the average a good start?
# 3. Blur before the stride: an `AvgPool2d(2, stride=1)` in front of "every second pixel". Where does its curve lie in the picture of shifts?
# 4. Take a trained network with maximum pooling, replace the poolings, and evaluate without training. How much is lost, how soon is it back?
# 5. Ask for the class map of *trousers* and *dress* in the collage. What are they confused by?
# %% [markdown] lt
# Spalva rodo kiekvienos vietos dalį viršuje įvardytos klasės logite. Spręskite patys, kaip taikliai; kur ji užsidega šalia daikto, tinklas
# išmoko to, kas daiktą tik lydi. Tokie žemėlapiai – pigiausias būdas pamatyti, ar tinklu galima pasikliauti.
#
# ## Ką įsiminti
#
# - Didžiausia reikšmė pasako, ar požymis yra; žingsnis tris reikšmes iš keturių išmeta nepažiūrėjęs; pastoviausias vidurkis.
# - Sąsūka, kurios žingsnis 2, gali išmokti to, ką daro sutelkimas, ir daugiau; mažiausiai kainuoja žingsnis ankstesnėje sąsūkoje.
# - Visuotinis vidurkio sutelkimas pašalina daugumą svorių, priima bet kokį dydį ir parodo, kur matoma klasė.
#
# ## Klausimai ir užduotys
#
# 1. Du tinklus su visuotiniu vidurkiu mokykite 20 epochų, paskui – su dvigubai daugiau kanalų. Ar jie pasiveja?
# 2. Tegul sutelkimus pakeitusios sąsūkos prasideda atsitiktinai: `model.initialize("pool*.weight", "kaiming_normal", 2**0.5)`. Ar vidurkis –
#    gera pradžia?
# 3. Suliekite prieš žingsnį: prieš „kas antrą tašką“ įterpkite `AvgPool2d(2, stride=1)`. Kur poslinkių brėžinyje atsiduria jo kreivė?
# 4. Paimkite išmokytą tinklą su didžiausios reikšmės sutelkimu, sutelkimus pakeiskite ir įvertinkite nemokydami. Kiek prarandama ir kaip greitai
#    tai atgaunama?
# 5. Koliaže pasiteiraukite kelnių ir suknelės žemėlapių. Kas juos klaidina?
